#!/bin/sh
# Builds boot.bin, app64.bin, app128.bin and app4pro.bin into the given folder (default: this one). Needs the GNU binutils for ARM.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # name, source, address, assembler options
    name=$1 source=$2 address=$3
    shift 3
    arm-none-eabi-as "$@" -o "$work/$name.o" "$here/$source"
    arm-none-eabi-ld -Ttext "$address" -e reset -o "$work/$name.elf" "$work/$name.o"
    arm-none-eabi-objcopy -O binary -j .text "$work/$name.elf" "$out/$name.bin"
}

build boot boot.s 0x08000000
build app64 app.s 0x08001000 \
    --defsym DATA=0x0800F800 --defsym UPDATE=0x0800FC00 --defsym STAGING=0x08008400 --defsym SIZE=0x4000
build app128 app.s 0x08001000 \
    --defsym DATA=0x0801C000 --defsym UPDATE=0x0801F800 --defsym STAGING=0x0800E800 --defsym SIZE=0x6000
build app4pro app.s 0x08001000 --defsym COPY=0x0801C800 \
    --defsym DATA=0x0801C000 --defsym UPDATE=0x0801F800 --defsym STAGING=0x0800E800 --defsym SIZE=0x6000
