@ The rehearsal application, at 0x08001000. It imitates those parts of the vendor's firmware that a flasher can observe:
@ the live data block and the default template at the same SRAM addresses, the UID check, the chip detection, the
@ version in register 0x1A, and a running main loop. It drives nothing, never writes flash and never protects the chip.
@
@ Assembled three times: DATA, UPDATE and STAGING are the addresses of these pages in the 64 KiB and the 128 KiB flash map.
@ With COPY, the address of a second copy of the data block, it imitates the 4 Pro: it chooses between the two copies as
@ DRV 0.2.2 does, has the serial number at another place, and takes the chip's UID instead of comparing it.

        .syntax unified
        .cpu    cortex-m3
        .thumb

        .equ    STACK,    0x20002200
        .equ    COUNTER,  0x20000004
        .equ    TEMPLATE, 0x2000001A    @ same address as in the .data of Pro 1.5.5
        .ifdef COPY
        .equ    LIVE,     0x20000796    @ same address as in 4 Pro 0.2.2; not a multiple of 4
        .equ    R_SERIAL, 0xA8
        .equ    SERIAL,   20            @ characters
        .equ    R_TAIL,   0x1FE
        .equ    TAIL,     0x0522
        .else
        .equ    LIVE,     0x2000070E    @ same address as in Pro 1.5.5; not a multiple of 4
        .equ    R_SERIAL, 0x20
        .equ    SERIAL,   14            @ characters
        .endif
        .equ    BLOCK,    512
        .equ    UID,      0x1FFFF7E8
        .equ    PRODUCT,  0x40022100    @ GigaDevice's product number
        .equ    VTOR,     0xE000ED08
        .equ    VERSION,  0x0999

        @ Offset in the block = 2 * register number.
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

        @ Copy the template, then the live block: from flash, or from the template if flash has no block.
        ldr     r0, =template
        ldr     r1, =TEMPLATE
        bl      copy_block
        .ifdef COPY
        @ The first copy that has magic and tail; else the second if it has the magic; else the template.
        ldr     r0, =DATA
        bl      has_magic_and_tail
        beq     1f
        ldr     r0, =COPY
        .else
        ldr     r0, =DATA
        .endif
        ldrh    r1, [r0]
        movw    r2, #MAGIC
        cmp     r1, r2
        beq     1f
        ldr     r0, =template
1:      ldr     r1, =LIVE
        bl      copy_block
        ldr     r4, =LIVE

        @ Store the version as the vendor's code does, so that it can be found the same way: MOVW, then STRH to +0x34.
        movw    r1, #VERSION
        strh    r1, [r4, #R_VERSION]

        @ Error 27: another chip's UID. Error 35: the factory's default serial number. 27 overrides 35.
        movs    r5, #0
        ldr     r0, =template + R_SERIAL
        add     r1, r4, #R_SERIAL
        movs    r2, #SERIAL
        bl      compare
        bne     2f
        movs    r5, #35
2:      ldr     r0, =UID
        add     r1, r4, #R_UID
        .ifdef COPY
        mov     r2, #12
        bl      copy_bytes
        b       3f
        .else
        movs    r2, #12
        bl      compare
        beq     3f
        movs    r5, #27
        .endif
3:      strh    r5, [r4, #R_ERROR]

        @ Chip type: 1 = GD32E103, 2 = GD32F103, 3 = any other.
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

        @ Copies a block from r0 to r1, half-word by half-word.
        .thumb_func
copy_block:
        mov     r2, #BLOCK
copy_bytes:
6:      subs    r2, #2
        ldrh    r3, [r0, r2]
        strh    r3, [r1, r2]
        bne     6b
        bx      lr

        @ Compares r2 bytes (an even number) at r0 and r1; sets EQ if they are equal. Uses half-words because the block
        @ is not word-aligned.
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

        .ifdef COPY
        @ Sets EQ if the block at r0 has the magic and, as its last half-word, the tail.
        .thumb_func
has_magic_and_tail:
        ldrh    r1, [r0]
        movw    r2, #MAGIC
        cmp     r1, r2
        bne     9f
        ldrh    r1, [r0, #R_TAIL]
        movw    r2, #TAIL
        cmp     r1, r2
9:      bx      lr
        .endif

        @ A fault handler that stays at one address, so that it can be told from a running program.
        .thumb_func
fault:
        b       fault

        .pool
        @ The other pages that the vendor's images refer to, so that the flash map can be derived from this image too.
        .word   UPDATE, STAGING
        .asciz  "m365-drv rehearsal application"

        .org    0x300
template:
        .hword  MAGIC, 0x07EE
        .org    0x300 + 0x1A
        .hword  0x0800, 0x0800, 0x0800
        .ifndef COPY
        .ascii  "M1GCA1601C0001"
        .ascii  "000000"
        .endif
        .org    0x300 + R_VERSION
        .hword  VERSION
        .ifdef COPY
        .org    0x300 + R_SERIAL
        .ascii  "M1GCA1601C0000000001"
        .endif
        .org    0x300 + 0xE6
        .hword  20000, 10000
        .org    0x300 + 0x136
        .hword  1
        .ifdef COPY
        .org    0x300 + R_TAIL
        .hword  TAIL
        .endif
        .org    0x300 + BLOCK

        @ Padding up to the size of a small real image. Each word is its own address, so a misplaced page is noticed; with
        @ COPY twice the address, so that one image is not taken for another.
        .rept   (SIZE - 0x300 - BLOCK) / 4
        .ifdef COPY
        .word   (. - vectors) * 2 + 0x10002000
        .else
        .word   .
        .endif
        .endr
