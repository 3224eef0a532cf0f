@ Flash algorithm for the FPEC (flash controller) of the STM32F103, GD32F103 and GD32E103.
@
@ Position-independent, about 750 bytes, runs from SRAM at any clock frequency. Registers and bits: PM0075 3. The first
@ four entries follow the calling convention of CMSIS-Pack flash algorithms, which probe-rs's own loader uses. m365-drv
@ uses `stream`: a loop that never returns and that is fed through a ring buffer in SRAM while it runs. The core is not
@ halted and restarted for every page, and the next data arrives while the flash is busy.
@
@ Memory, relative to `origin`:   0x000  code
@                                 control (symbol), five words: see below
@                                 RING   ring, 16 KiB, right behind the control words: one write fills both
@ The stack (a few words) grows down from `origin`.

        .syntax unified
        .cpu    cortex-m3
        .thumb

        .equ    FPEC, 0x40022000
        .equ    KEYR, 0x04              @ offsets: PM0075 4, register map
        .equ    OPTKEYR, 0x08
        .equ    SR, 0x0C
        .equ    CR, 0x10
        .equ    AR, 0x14
        .equ    KEY1, 0x45670123        @ PM0075 3.1
        .equ    KEY2, 0xCDEF89AB
        .equ    SR_BSY, 1 << 0
        .equ    SR_ERRORS, 1 << 2 | 1 << 4      @ PGERR, WRPRTERR
        .equ    SR_CLEAR, SR_ERRORS | 1 << 5    @ and EOP; all are cleared by writing 1
        .equ    CR_PG, 1 << 0
        .equ    CR_PER, 1 << 1
        .equ    CR_OPTPG, 1 << 4
        .equ    CR_OPTER, 1 << 5
        .equ    CR_STRT, 1 << 6
        .equ    CR_LOCK, 1 << 7
        .equ    CR_OPTWRE, 1 << 9
        .equ    OPTION_BYTES, 0x1FFFF800        @ PM0075 2.5
        .equ    OPTION_BYTES_END, 0x1FFFF810

        @ If the option bytes start the watchdog, it keeps running after a debugger's reset. Reloading a watchdog that
        @ is not running has no effect (RM0008 19.3).
        .equ    IWDG_KR, 0x40003000
        .equ    IWDG_RELOAD, 0xAAAA

        .equ    GARBLED, 1 << 8         @ not a bit of FLASH_SR

        .equ    RING, 0x3A0
        .equ    RING_BITS, 14
        .equ    CHUNK, 256              @ bytes programmed before their space in the ring is released

        .equ    HEAD, 0                 @ host: bytes written to the ring so far
        .equ    TAIL, 4                 @ target: bytes consumed so far
        .equ    STATE, 8                @ target: 0 running, 1 finished, else the error bits of FLASH_SR or GARBLED
        .equ    FAULT, 12               @ target: address at or just after the failed write
        .equ    WIDTH, 16               @ host: 2 to program half-words, 4 for words (GD32E103)

        @ What `digest` finds at the start of the ring, in words
        .equ    COUNT, 0                @ pages
        .equ    LENGTH, 4               @ bytes in each, a multiple of 8
        .equ    SEED, 8                 @ v0 to v3 of SipHash, which the host has made of its key, 8 words
        .equ    PAGES, 40               @ address of each page; behind them their sums, 2 words each

        .text
origin:

@ Init(address, clock, function) -> 0
        .global init
        .thumb_func
init:
        ldr     r0, =FPEC
        movs    r1, #SR_CLEAR
        str     r1, [r0, #SR]
        ldr     r1, [r0, #CR]
        tst     r1, #CR_LOCK            @ on some clones, writing a key while unlocked is an error
        beq     1f
        ldr     r1, =KEY1
        str     r1, [r0, #KEYR]
        ldr     r1, =KEY2
        str     r1, [r0, #KEYR]
1:      movs    r0, #0
        bx      lr

@ UnInit(function) -> 0
        .global uninit
        .thumb_func
uninit:
        ldr     r0, =FPEC
        movs    r1, #CR_LOCK
        str     r1, [r0, #CR]
        movs    r0, #0
        bx      lr

@ EraseSector(address) -> 0 or error bits, r1 = address
        .global erase_sector
        .thumb_func
erase_sector:
        ldr     r3, =FPEC
        mov     r1, r0
        movs    r2, #CR_PER
        str     r2, [r3, #CR]
        str     r0, [r3, #AR]
        movs    r2, #CR_PER | CR_STRT
        str     r2, [r3, #CR]
        dsb                             @ BSY is set after this
        b       settle

@ ProgramPage(address, bytes, source) -> 0 or error bits, r1 = address. The flash there must be erased. Skips half-words
@ (or words) that are all ones. Fetches the next value while the flash is still busy with the last one.
        .global program_page
        .thumb_func
program_page:
        push    {r4, r5, r6, lr}
        ldr     r3, =FPEC
        movs    r4, #CR_PG
        str     r4, [r3, #CR]
        adds    r6, r0, r1              @ end
        mov     r1, r0
        ldr     r0, width
        cmp     r0, #4
        beq     by_word

        movw    r0, #0xFFFF
by_half_word:
        cmp     r1, r6
        bhs     done
        ldrh    r5, [r2], #2
        cmp     r5, r0
        beq     2f
1:      ldr     r4, [r3, #SR]
        tst     r4, #SR_BSY
        bne     1b
        tst     r4, #SR_ERRORS
        bne     done
        strh    r5, [r1]
2:      adds    r1, #2
        b       by_half_word

by_word:
        cmp     r1, r6
        bhs     done
        ldr     r5, [r2], #4
        adds    r0, r5, #1
        beq     2f
1:      ldr     r4, [r3, #SR]
        tst     r4, #SR_BSY
        bne     1b
        tst     r4, #SR_ERRORS
        bne     done
        str     r5, [r1]
2:      adds    r1, #4
        b       by_word

done:   pop     {r4, r5, r6, lr}

@ Waits until the operation ends, then deselects it. r3 = FPEC -> r0 = 0 or error bits; preserves r1.
settle:
        push    {lr}
        bl      wait
        pop     {lr}
        movs    r2, #0
        str     r2, [r3, #CR]
        bx      lr

@ Erases the option bytes and programs all 16 bytes, which the host has written to the start of the ring. Needs no
@ further help from the host, so that losing contact cannot leave the option bytes erased. STATE = 1 when done, else the
@ error bits. Programming RDP to its unprotected value first erases main flash (PM0075 2.4.1).
        .global options
        .thumb_func
options:
        adr     r6, origin
        mov     sp, r6
        add     r6, r6, #RING
        adr     r7, control
        bl      init
        ldr     r3, =FPEC
        ldr     r1, =KEY1
        str     r1, [r3, #OPTKEYR]
        ldr     r1, =KEY2
        str     r1, [r3, #OPTKEYR]
        mov     r2, #CR_OPTWRE | CR_OPTER
        str     r2, [r3, #CR]
        mov     r2, #CR_OPTWRE | CR_OPTER | CR_STRT
        str     r2, [r3, #CR]
        dsb
        ldr     r1, =OPTION_BYTES
        bl      wait
        cmp     r0, #0
        bne     failed
        mov     r2, #CR_OPTWRE | CR_OPTPG
        str     r2, [r3, #CR]
        ldr     r4, =OPTION_BYTES_END
        ldr     r5, width
1:      cmp     r1, r4
        bhs     finish
        cmp     r5, #4
        ite     eq
        ldreq   r2, [r6], #4
        ldrhne  r2, [r6], #2
        ite     eq
        streq   r2, [r1], #4
        strhne  r2, [r1], #2
        bl      wait
        cmp     r0, #0
        bne     failed
        b       1b

@ Waits until the operation ends. r3 = FPEC -> r0 = 0 or error bits; preserves r1. Reloads the watchdog meanwhile,
@ because a mass erase can take longer than its period.
wait:
        ldr     r2, =IWDG_KR
        movw    r0, #IWDG_RELOAD
        str     r0, [r2]
        ldr     r0, [r3, #SR]
        tst     r0, #SR_BSY
        bne     wait
        ands    r0, r0, #SR_ERRORS
        bx      lr

@ The resident loop. Records in the ring, in words:
@   address, bytes, check, data...      program (bytes: a multiple of 4)
@   address + 1, 0, check               erase the page
@   0                                   end: STATE = 1 when all earlier records are done
@ check = ~(first word ^ second word). If a word is lost on the way, an older word stays in its place in the ring and
@ could be taken for an address; the check catches that, and STATE = GARBLED.
        .global stream
        .thumb_func
stream:
        adr     r6, origin
        mov     sp, r6
        add     r6, r6, #RING
        adr     r7, control
        movs    r4, #0                  @ bytes consumed
        bl      init
record:
        bl      take
        cmp     r0, #0
        beq     finish
        mov     r8, r0                  @ address
        bl      take
        mov     r9, r0                  @ bytes to come
        bl      take
        eor     r1, r8, r9
        mvns    r1, r1
        cmp     r0, r1
        mov     r0, r8
        mov     r1, r8
        bne     garbled
        lsrs    r2, r0, #1
        bcs     erase
more:
        cmp     r9, #0
        beq     record
        ldr     r2, =IWDG_KR
        movw    r3, #IWDG_RELOAD
        str     r3, [r2]
        ldr     r1, [r7, #HEAD]
        subs    r1, r1, r4
        beq     more
        ubfx    r2, r4, #0, #RING_BITS
        rsb     r3, r2, #1 << RING_BITS @ bytes before the ring wraps
        cmp     r1, r3
        it      hi
        movhi   r1, r3
        cmp     r1, r9
        it      hi
        movhi   r1, r9
        cmp     r1, #CHUNK
        it      hi
        movhi   r1, #CHUNK
        mov     r10, r1
        mov     r0, r8
        add     r2, r2, r6
        bl      program_page
        cmp     r0, #0
        bne     failed
        add     r8, r8, r10
        sub     r9, r9, r10
        add     r4, r4, r10
        str     r4, [r7, #TAIL]
        b       more

erase:
        bic     r0, r0, #1
        bl      erase_sector
        cmp     r0, #0
        beq     record
        b       failed
garbled:
        mov     r0, #GARBLED
failed:
        str     r1, [r7, #FAULT]
        b       stop
finish:
        movs    r0, #1
stop:
        str     r0, [r7, #STATE]
1:      ldr     r3, =IWDG_KR
        movw    r4, #IWDG_RELOAD
        str     r4, [r3]
        b       1b

@ Waits for the next word in the ring -> r0 = the word
take:
        ldr     r2, =IWDG_KR
        movw    r3, #IWDG_RELOAD
        str     r3, [r2]
        ldr     r1, [r7, #HEAD]
        cmp     r1, r4
        beq     take
        ubfx    r1, r4, #0, #RING_BITS
        ldr     r0, [r6, r1]
        adds    r4, #4
        str     r4, [r7, #TAIL]
        bx      lr

        .ltorg

@ Computes a keyed sum of each page in a list: SipHash-2-4 (Aumasson and Bernstein, 2012) of the page's address, LENGTH, and the
@ page as the core reads it. Writes nothing but the sums, behind the list. STATE = 1 when all are done. From here to the end
@ the code needs nothing that stands before it.
        .balign 4
        .global digest
        .thumb_func
digest:
        adr     r6, origin
        mov     sp, r6
        add     r6, r6, #RING
        ldr     r0, [r6, #COUNT]
        add     r7, r6, #PAGES          @ next entry of the list
        add     r1, r7, r0, lsl #2      @ its end, where the sums begin
        mov     r2, r1                  @ where the next sum goes
        push    {r1, r2, r3, r6}        @ r3: room for the end of the page
page:
        ldr     r0, [sp]
        cmp     r7, r0
        beq     digested
        ldr     r0, =IWDG_KR
        movw    r1, #IWDG_RELOAD
        str     r1, [r0]
        ldr     r6, [sp, #12]
        ldr     r11, [r6, #LENGTH]
        add     r6, r6, #SEED
        ldm     r6, {r0-r5, r8, r9}     @ v0, v1, v2, v3, each the lower half first
        ldr     r10, [r7], #4
        mov     r6, r10
        add     r12, r10, r11
        str     r12, [sp, #8]
absorb:                                 @ r11:r10 = the next eight bytes
        eor     r8, r8, r10
        eor     r9, r9, r11
        bl      rounds
        eor     r0, r0, r10
        eor     r1, r1, r11
        ldr     r12, [sp, #8]
        cmp     r6, r12
        bhi     squeeze
        ittt    lo
        ldrlo   r10, [r6], #4
        ldrlo   r11, [r6], #4
        blo     absorb
        ldr     r11, [r7, #-4]          @ the last eight bytes hold the length of all
        sub     r11, r12, r11
        adds    r11, r11, #8
        lsl     r11, r11, #24
        mov     r10, #0
        adds    r6, r6, #1
        b       absorb
squeeze:
        eor     r4, r4, #0xFF
        bl      rounds
        bl      rounds
        eor     r0, r0, r2
        eor     r0, r0, r4
        eor     r0, r0, r8
        eor     r1, r1, r3
        eor     r1, r1, r5
        eor     r1, r1, r9
        ldr     r12, [sp, #4]
        stm     r12!, {r0, r1}
        str     r12, [sp, #4]
        b       page
digested:                               @ as `finish`, which is not read back before this runs
        adr     r7, control
        movs    r0, #1
        str     r0, [r7, #STATE]
1:      ldr     r3, =IWDG_KR
        movw    r4, #IWDG_RELOAD
        str     r4, [r3]
        b       1b

@ Two rounds of SipHash. v0 = r1:r0, v1 = r3:r2, v2 = r5:r4, v3 = r9:r8; uses r12. Rotations by 32 only change the names: two
@ of them come to nothing.
        .macro  mix al, ah, bl, bh, by  @ a += b; b = (b rotated left) ^ a
        adds    \al, \al, \bl
        adc     \ah, \ah, \bh
        eor     r12, \al, \bl, lsl #\by
        eor     r12, r12, \bh, lsr #(32 - \by)
        eor     \bh, \ah, \bh, lsl #\by
        eor     \bh, \bh, \bl, lsr #(32 - \by)
        mov     \bl, r12
        .endm
        .macro  round v0l, v0h, v2l, v2h @ the names of v0 and v2 are exchanged after their rotations
        mix     \v0l, \v0h, r2, r3, 13
        mix     \v2l, \v2h, r8, r9, 16
        mix     \v0h, \v0l, r8, r9, 21
        mix     \v2l, \v2h, r2, r3, 17
        .endm
rounds:
        round   r0, r1, r4, r5
        round   r1, r0, r5, r4
        bx      lr

        .ltorg
        .org    RING - 20
        .global control
control:
        .word   0, 0, 0, 0
width:  .word   2
        .end
