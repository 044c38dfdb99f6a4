/* switch_which.h -- own switch or ucontext? For C and for the assembler. */
#ifndef SWITCH_WHICH_H
#define SWITCH_WHICH_H

#if !defined(CO_UCONTEXT)
#if defined(__x86_64__) || defined(__aarch64__)
#define CO_UCONTEXT 0
#else
#define CO_UCONTEXT 1
#endif
#endif

#endif
