#!/bin/sh
# Assembles the flash algorithm. Prints the code in base64 and the offsets of its symbols, ready for
# ../chips/stm32f1.yaml. Needs the GNU binutils for ARM (Debian: binutils-arm-none-eabi).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
arm-none-eabi-as -mcpu=cortex-m3 -mthumb "$here/stm32f1.s" -o "$work/a.o"
arm-none-eabi-ld -Ttext 0 --entry stream "$work/a.o" -o "$work/a.elf"
arm-none-eabi-objcopy -O binary "$work/a.elf" "$work/a.bin"
base64 -w 0 "$work/a.bin"
echo
arm-none-eabi-nm "$work/a.elf" | awk '{ print $3, "0x" substr($1, 5) }' | grep -E '^(init|uninit|erase_sector|program_page|stream|options|digest|control) ' | sort
