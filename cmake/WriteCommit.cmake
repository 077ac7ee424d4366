# cmake -DSOURCE=dir -DOUT=file [-DCOMMIT=id] -P WriteCommit.cmake: writes the commit of `dir` into a header, if it differs
# from what the header says. Without git, and without COMMIT, it is "unknown".
if(NOT COMMIT)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
                  OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed OR NOT COMMIT)
    set(COMMIT unknown)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define FARSHORE_COMMIT \"${COMMIT}\"\n")  # writes only what is new
