#!/bin/sh
# The compiler, through ccache; but for the precompiled header. What ccache would hand out of that names the checkout
# that made it, in the dependencies of every object: when that one is gone, all is compiled anew at each build.
# Depend mode: g++ 12 crashes when it only preprocesses with a precompiled header, and ccache would store nothing.
case " $* " in *" c++-header "*) exec "$@" ;; esac
CCACHE_BASEDIR=${0%/cmake/*} CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 CCACHE_PCH_EXTSUM=1
CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
export CCACHE_PCH_EXTSUM CCACHE_BASEDIR CCACHE_NOHASHDIR CCACHE_DEPEND CCACHE_SLOPPINESS
exec ccache "$@"
