/**
 * The program that holds a pod's namespaces: a static ELF of a few hundred bytes, written as machine code, because Berth pulls nothing
 * and a node has no compiler. It blocks INT, TERM and CHLD, then waits for them in a loop: CHLD reaps every dead child (with a
 * shared PID namespace it is their init), INT and TERM end it with 0. It needs no stack beyond the one word that holds the signal set.
 */

export type Architecture = 'amd64' | 'arm64';

/** Signals 2, 15 and 17 as a kernel signal set (bit n-1). */
const signalSet = 0x14002;

const amd64: readonly number[] = [
  ...[0x68, ...littleEndian(signalSet, 4)], // push signalSet
  ...[0x48, 0x89, 0xe6], //                    mov rsi, rsp
  ...[0x31, 0xd2], //                          xor edx, edx
  ...[0x31, 0xff], //                          xor edi, edi          (SIG_BLOCK)
  ...[0x6a, 0x08, 0x41, 0x5a], //              push 8; pop r10       (size of the set)
  ...[0x6a, 0x0e, 0x58], //                    push 14; pop rax      (rt_sigprocmask)
  ...[0x0f, 0x05], //                          syscall
  // wait: (offset 21)
  ...[0x48, 0x89, 0xe7], //                    mov rdi, rsp
  ...[0x31, 0xf6], //                          xor esi, esi
  ...[0x31, 0xd2], //                          xor edx, edx
  ...[0x6a, 0x08, 0x41, 0x5a], //              push 8; pop r10
  ...[0xb8, 0x80, 0x00, 0x00, 0x00], //        mov eax, 128          (rt_sigtimedwait)
  ...[0x0f, 0x05], //                          syscall
  ...[0x83, 0xf8, 0x11], //                    cmp eax, 17           (CHLD)
  ...[0x74, 0x0d], //                          je reap
  ...[0x85, 0xc0], //                          test eax, eax         (interrupted)
  ...[0x78, 0xe5], //                          js wait
  ...[0x31, 0xff], //                          xor edi, edi
  ...[0xb8, 0xe7, 0x00, 0x00, 0x00], //        mov eax, 231          (exit_group)
  ...[0x0f, 0x05], //                          syscall
  // reap: (offset 57)
  ...[0x83, 0xcf, 0xff], //                    or edi, -1            (any child)
  ...[0x31, 0xf6], //                          xor esi, esi
  ...[0x6a, 0x01, 0x5a], //                    push 1; pop rdx       (WNOHANG)
  ...[0x45, 0x31, 0xd2], //                    xor r10d, r10d
  ...[0x6a, 0x3d, 0x58], //                    push 61; pop rax      (wait4)
  ...[0x0f, 0x05], //                          syscall
  ...[0x85, 0xc0], //                          test eax, eax
  ...[0x7f, 0xec], //                          jg reap
  ...[0xeb, 0xc6], //                          jmp wait
];

const arm64: readonly number[] = [
  0xd10043ff, // sub sp, sp, #16
  0x52880041, // movz w1, #0x4002
  0x72a00021, // movk w1, #1, lsl #16      (signalSet)
  0xf90003e1, // str x1, [sp]
  0xd2800000, // mov x0, #0                (SIG_BLOCK)
  0x910003e1, // mov x1, sp
  0xd2800002, // mov x2, #0
  0xd2800103, // mov x3, #8
  0xd28010e8, // mov x8, #135              (rt_sigprocmask)
  0xd4000001, // svc #0
  // wait:
  0x910003e0, // mov x0, sp
  0xd2800001, // mov x1, #0
  0xd2800002, // mov x2, #0
  0xd2800103, // mov x3, #8
  0xd2801128, // mov x8, #137              (rt_sigtimedwait)
  0xd4000001, // svc #0
  0x7100441f, // cmp w0, #17               (CHLD)
  0x540000a0, // b.eq reap
  0x37ffff00, // tbnz w0, #31, wait        (interrupted)
  0xd2800000, // mov x0, #0
  0xd2800bc8, // mov x8, #94               (exit_group)
  0xd4000001, // svc #0
  // reap:
  0x92800000, // mov x0, #-1               (any child)
  0xd2800001, // mov x1, #0
  0xd2800022, // mov x2, #1                (WNOHANG)
  0xd2800003, // mov x3, #0
  0xd2802088, // mov x8, #260              (wait4)
  0xd4000001, // svc #0
  0xf100001f, // cmp x0, #0
  0x54ffff2c, // b.gt reap
  0x17ffffec, // b wait
].flatMap((word) => littleEndian(word, 4));

const machines: Readonly<Record<Architecture, { readonly code: readonly number[]; readonly elf: number }>> = {
  amd64: { code: amd64, elf: 62 },
  arm64: { code: arm64, elf: 183 },
};

/** The whole executable, ready to be written with mode 0755. */
export function pauseBinary(architecture: Architecture): Uint8Array {
  const { code, elf } = machines[architecture];
  const headerSize = 64;
  const programHeaderSize = 56;
  const base = 0x400000;
  const start = headerSize + programHeaderSize;
  const size = start + code.length;
  return Uint8Array.from([
    ...[0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], // ELF, 64 bits, little-endian, version 1, System V
    ...littleEndian(2, 2), // executable
    ...littleEndian(elf, 2),
    ...littleEndian(1, 4), // version
    ...littleEndian(base + start, 8), // entry
    ...littleEndian(headerSize, 8), // program headers follow
    ...littleEndian(0, 8), // no section headers
    ...littleEndian(0, 4), // flags
    ...littleEndian(headerSize, 2),
    ...littleEndian(programHeaderSize, 2),
    ...littleEndian(1, 2), // one program header
    ...littleEndian(0, 6), // no section headers
    ...littleEndian(1, 4), // load
    ...littleEndian(5, 4), // readable, executable
    ...littleEndian(0, 8), // from the file's beginning
    ...littleEndian(base, 8),
    ...littleEndian(base, 8),
    ...littleEndian(size, 8),
    ...littleEndian(size, 8),
    ...littleEndian(0x10000, 8), // alignment: the largest page size of the two
    ...code,
  ]);
}

function littleEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 2 ** (8 * index)) % 256);
}
