# cmake -DOUT=FILE.c -DTABLE=NAME "-DFILES=A;B" -P web_files.cmake: writes the files as C arrays, plain and gzipped,
# and the table NAMEs of them (web_files.h).
set(types html "text/html\; charset=utf-8" css "text/css\; charset=utf-8" js "text/javascript\; charset=utf-8"
    svg "image/svg+xml" json "application/json")
set(arrays "")
set(rows "")
set(number 0)

# bytes_of(FILE NAME): appends "static const unsigned char NAME[]".
function(append_array file name)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    set(arrays "${arrays}static const unsigned char ${name}[] = {\n${hex}};\n" PARENT_SCOPE)
endfunction()

foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME)
    get_filename_component(ending ${file} LAST_EXT)
    string(SUBSTRING ${ending} 1 -1 ending)
    list(FIND types ${ending} at)
    if(at LESS 0)
        message(FATAL_ERROR "${file}: no media type is known for .${ending}; see cmake/web_files.cmake")
    endif()
    math(EXPR at "${at} + 1")
    list(GET types ${at} type)
    set(packed ${OUT}.gz)
    execute_process(COMMAND gzip -9nc ${file} OUTPUT_FILE ${packed} RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "${file}: gzip failed")
    endif()
    append_array(${file} plain_${number})
    append_array(${packed} gzip_${number})
    file(SHA256 ${file} hash)
    string(SUBSTRING ${hash} 0 16 hash)
    string(APPEND rows "    {\"/${name}\", \"${type}\", \"\\\"${hash}\\\"\", plain_${number}, gzip_${number},\n"
        "     sizeof plain_${number}, sizeof gzip_${number}},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${OUT}.gz)
file(WRITE ${OUT} "/* made by cmake/web_files.cmake */\n#include \"web_files.h\"\n\n${arrays}\n"
    "const struct web_file ${TABLE}s[] = {\n${rows}};\nconst size_t ${TABLE}_count = ${number};\n")
