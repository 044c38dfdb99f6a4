/* switch_asm.S -- the switch itself.
 *
 *	void context_swap(void **from_sp, void *to_sp);
 *	void context_first(void);
 *
 * What a called function must preserve goes onto the stack that is left, and comes from
 * the stack that is entered; the callers' registers are saved by the compiler. The
 * floating point control words are the same in every coroutine and stay as they are. A
 * new stack looks as if its coroutine had switched away at the start of context_first(),
 * which calls the entry function. Indirect branches land on ENDBR64 / BTI. Shadow stacks
 * are not supported, so the property note claims IBT / BTI only. */
#include "switch_which.h"

#if !CO_UCONTEXT && defined(__x86_64__)

	.text
	.globl context_swap
	.hidden context_swap
	.type context_swap, @function
	.p2align 4
context_swap:
	.cfi_startproc
	endbr64
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.cfi_endproc
	.size context_swap, . - context_swap

	.globl context_first
	.hidden context_first
	.type context_first, @function
	.p2align 4
context_first:
	.cfi_startproc
	.cfi_undefined rip /* debuggers: nobody called this */
	endbr64
	callq *%rbx
	ud2
	.cfi_endproc
	.size context_first, . - context_first

	.section .note.gnu.property, "a"
	.p2align 3
	.long 4, 16, 5
	.asciz "GNU"
	.long 0xc0000002, 4, 1, 0 /* GNU_PROPERTY_X86_FEATURE_1_AND: IBT */

#elif !CO_UCONTEXT && defined(__aarch64__)

	.text
	.globl context_swap
	.hidden context_swap
	.type context_swap, %function
	.p2align 4
context_swap:
	.cfi_startproc
	hint #34 /* bti c */
	sub sp, sp, #160
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	ret
	.cfi_endproc
	.size context_swap, . - context_swap

	.globl context_first
	.hidden context_first
	.type context_first, %function
	.p2align 4
context_first:
	.cfi_startproc
	.cfi_undefined x30
	hint #36 /* bti j */
	blr x19
	brk #1
	.cfi_endproc
	.size context_first, . - context_first

	.section .note.gnu.property, "a"
	.p2align 3
	.long 4, 16, 5
	.asciz "GNU"
	.long 0xc0000000, 4, 1, 0 /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI */

#endif

	.section .note.GNU-stack, "", %progbits
