# need_package(MODULE PURPOSE): finds a pkg-config module as the target PkgConfig::MODULE,
# or says which ./bootstrap brings it.
macro(need_package module purpose)
    pkg_check_modules(${module} QUIET IMPORTED_TARGET ${module})
    if(NOT ${module}_FOUND)
        message(FATAL_ERROR "${module} is missing: run ./bootstrap ${purpose}")
    endif()
endmacro()
