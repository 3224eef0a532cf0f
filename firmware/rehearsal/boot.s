@ The rehearsal bootloader, at 0x08000000. It imitates those parts of the vendor's bootloader that a flasher can
@ observe: it checks the application's first word (word & 0x2FFE0000 == 0x20000000), uses it as the stack pointer, and
@ jumps. It never writes flash and installs no updates.

        .syntax unified
        .cpu    cortex-m3
        .thumb

        .equ    STACK, 0x20000550
        .equ    APP,   0x08001000

        .text
vectors:
        .word   STACK
        .word   reset + 1
        .rept   14
        .word   stop + 1
        .endr

        .org    0x120
        .global reset
        .thumb_func
reset:
        ldr     r0, =APP
        ldr     r1, [r0]
        ldr     r2, =0x2FFE0000
        ands    r2, r1
        cmp     r2, #0x20000000
        bne     stop
        ldr     r3, [r0, #4]
        msr     msp, r1
        bx      r3

        @ The vendor's bootloader blinks the tail light five times; this one only loops.
        .thumb_func
stop:
        b       stop

        .pool
        .asciz  "m365-drv rehearsal boot loader"
        .balign 4
