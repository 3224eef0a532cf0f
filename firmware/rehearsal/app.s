@ The rehearsal's application, at 0x08001000. It does of the vendor's what a flasher can see: live data block and default
@ template in SRAM where theirs keep them, unique number compared, chip told apart, version in register 0x1A, a main loop
@ that can be watched. It drives nothing, writes no flash and never protects the chip.
@
@ Assembled twice: DATA, UPDATE and STAGING say where the flash map of 64 or 128 KiB has these pages.

        .syntax unified
        .cpu    cortex-m3
        .thumb

        .equ    STACK,    0x20002200
        .equ    COUNTER,  0x20000004
        .equ    TEMPLATE, 0x2000001A    @ as Pro 1.5.5 has it in its .data
        .equ    LIVE,     0x2000070E    @ as Pro 1.5.5; not a multiple of 4
        .equ    BLOCK,    512
        .equ    UID,      0x1FFFF7E8
        .equ    PRODUCT,  0x40022100    @ GigaDevice's product number
        .equ    VTOR,     0xE000ED08
        .equ    VERSION,  0x0999

        @ Offsets in the block are twice the register's number.
        .equ    R_SERIAL, 0x20
        .equ    R_VERSION, 0x34
        .equ    R_ERROR,  0x36
        .equ    R_CHIP,   0x8C
        .equ    R_UID,    0x1B4
        .equ    MAGIC,    0x515C

        .text
vectors:
        .word   STACK
        .word   reset + 1
        .word   fault + 1
        .word   fault + 1
        .rept   12
        .word   fault + 1
        .endr

        .org    0x100
        .global reset
        .thumb_func
reset:
        ldr     r0, =VTOR
        ldr     r1, =vectors
        str     r1, [r0]

        @ The template, then the live block from flash, or from the template where flash holds none.
        ldr     r0, =template
        ldr     r1, =TEMPLATE
        bl      copy_block
        ldr     r0, =DATA
        ldrh    r1, [r0]
        movw    r2, #MAGIC
        cmp     r1, r2
        beq     1f
        ldr     r0, =template
1:      ldr     r1, =LIVE
        bl      copy_block
        ldr     r4, =LIVE

        @ Version, as the vendor's code is found by it: MOVW, then STRH to +0x34.
        movw    r1, #VERSION
        strh    r1, [r4, #R_VERSION]

        @ Error 27: not this chip's number. Error 35: the factory's default serial. The lower one stays.
        movs    r5, #0
        ldr     r0, =template + R_SERIAL
        add     r1, r4, #R_SERIAL
        movs    r2, #14
        bl      compare
        bne     2f
        movs    r5, #35
2:      ldr     r0, =UID
        add     r1, r4, #R_UID
        movs    r2, #12
        bl      compare
        beq     3f
        movs    r5, #27
3:      strh    r5, [r4, #R_ERROR]

        @ Chip type: 1 GD32E103, 2 GD32F103, 3 any other.
        ldr     r0, =PRODUCT
        ldr     r1, [r0]
        movs    r2, #1
        ldr     r3, =0x48424333
        cmp     r1, r3
        beq     4f
        movs    r2, #2
        ldr     r3, =0x41424333
        cmp     r1, r3
        beq     4f
        movs    r2, #3
4:      strh    r2, [r4, #R_CHIP]

main:
        ldr     r0, =COUNTER
        ldr     r1, [r0]
        adds    r1, #1
        str     r1, [r0]
        movs    r2, #100
5:      subs    r2, #1
        bne     5b
        b       main

        @ Copies a block from r0 to r1 by half-words.
        .thumb_func
copy_block:
        mov     r2, #BLOCK
6:      subs    r2, #2
        ldrh    r3, [r0, r2]
        strh    r3, [r1, r2]
        bne     6b
        bx      lr

        @ Compares r2 bytes, an even number, at r0 and r1; EQ where they agree. Half-words: the block lies unaligned.
        .thumb_func
compare:
        push    {r4, lr}
7:      subs    r2, #2
        ldrh    r3, [r0, r2]
        ldrh    r4, [r1, r2]
        cmp     r3, r4
        bne     8f
        cmp     r2, #0
        bne     7b
8:      pop     {r4, pc}

        @ A fault stays at one address, so that it can be told from a program that runs.
        .thumb_func
fault:
        b       fault

        .pool
        @ What the vendor's images refer to beside the data page, so that the flash map can be read off this one too.
        .word   UPDATE, STAGING
        .asciz  "m365-drv rehearsal application"

        .org    0x300
template:
        .hword  MAGIC, 0x07EE
        .org    0x300 + 0x1A
        .hword  0x0800, 0x0800, 0x0800
        .ascii  "M1GCA1601C0001"
        .ascii  "000000"
        .hword  VERSION
        .org    0x300 + 0xE6
        .hword  20000, 10000
        .org    0x300 + 0x136
        .hword  1
        .org    0x300 + BLOCK

        @ Filled to the size of a small real image: each word is its own address, so that a page in the wrong place shows.
        .rept   (SIZE - 0x300 - BLOCK) / 4
        .word   .
        .endr
