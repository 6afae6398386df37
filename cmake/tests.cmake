# All tests run in the root of the sources, so that they find tests/telegrams and the like.
pkg_check_modules(cmocka QUIET IMPORTED_TARGET cmocka)
if(NOT cmocka_FOUND AND NOT PROGRAMS_ONLY)
    message(STATUS "no cmocka, so no unit tests: ./bootstrap test brings it")
endif()

# unit_test(NAME [LIBRARY...]): builds NAME_test.c of this folder with cmocka; ctest label "unit".
# A NAME may begin with a folder: maps/empro.  Not where programs are optimised at link time: to do that for each of a hundred
# tests takes longer than all of them together.
function(unit_test path)
    if(FUZZ OR PROGRAMS_ONLY OR CMAKE_INTERPROCEDURAL_OPTIMIZATION OR NOT cmocka_FOUND)
        return()
    endif()
    get_filename_component(name ${path} NAME)
    add_executable(${name}_test ${path}_test.c)
    target_link_libraries(${name}_test PRIVATE warnings ${ARGN} PkgConfig::cmocka)
    add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS unit)
endfunction()

# Debian's own python has pytest and the peers; a pyenv or venv ahead of it on the path has not.
set(PYTHON /usr/bin/python3 CACHE FILEPATH "Runs the system tests")

# system_test(NAME): runs NAME_test.py of this folder with pytest; ctest label "system".
# The test finds the program to try in $SMART_CONNECT.
function(system_test name)
    add_test(NAME ${name}
        COMMAND ${PYTHON} -B -m pytest -q -p no:cacheprovider ${CMAKE_CURRENT_SOURCE_DIR}/${name}_test.py
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES
        LABELS system TIMEOUT 300 ENVIRONMENT
        "SMART_CONNECT=$<TARGET_FILE:smart-connect>;BAD_INPUTS=${CMAKE_SOURCE_DIR}/build/bad-inputs")
endfunction()

# script_test(NAME LABEL): runs NAME.sh of this folder.
function(script_test name label)
    add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${name}.sh)
    set_tests_properties(${name} PROPERTIES LABELS ${label})
endfunction()
