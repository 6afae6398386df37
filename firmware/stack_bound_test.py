"""stack-bound against small images whose stacks are known."""
import pathlib
import re
import subprocess

import pytest

FIRMWARE = pathlib.Path(__file__).parent
START = """
void uart_came(void);
int main(void);
extern const unsigned stack_top[];
void reset_entry(void) { main(); for (;;) {} }
static void fault(void) { for (;;) {} }
__attribute__((section(".vectors"), used)) const void *const vectors[17] = {
    stack_top, reset_entry, fault, [15] = fault, [16] = uart_came};
volatile int sink;
#define ALONE __attribute__((noipa))
#define TAKE(bytes) volatile char taken[bytes]; taken[0] = 1; sink = taken[0]
"""


def image_of(tmp_path, text, stack_bytes=512):
    source, image = tmp_path / "image.c", tmp_path / "image.elf"
    source.write_text(START + text)
    script = tmp_path / "image.ld"
    script.write_text("MEMORY { FLASH (rx) : ORIGIN = 0, LENGTH = 64K\n RAM (rw) : ORIGIN = 0x20000000, LENGTH = 8K }\n"
                      "settings_memory = 0;\nINCLUDE sections.ld\n")
    subprocess.run(["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "-Os", "-g", "-ffreestanding", "-nostdlib",
                    f"-L{FIRMWARE}/p1mb", f"-Wl,--defsym=stack_bytes={stack_bytes}", "-T", script, source, "-o", image],
                   check=True)
    return image


def bound(image):
    done = subprocess.run([FIRMWARE / "stack-bound", image], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def numbers(said):
    return [int(n) for n in re.search(r"stack (\d+) of (\d+) bytes: (\d+) from the start, 36 \+ (\d+)", said).groups()]


def test_the_deepest_path_and_an_interrupt_on_top(tmp_path):
    image = image_of(tmp_path, """
        ALONE void uart_came(void) { TAKE(40); }
        ALONE void leaf(void) { TAKE(100); }
        ALONE void shallow(void) { TAKE(60); }
        ALONE void branch(void) { TAKE(60); leaf(); sink = 2; }
        ALONE int main(void) { shallow(); branch(); return sink; }""")
    status, said = bound(image)
    total, reserved, start, interrupt = numbers(said)
    assert (status, reserved) == (0, 512)
    assert total == start + 36 + interrupt
    assert 160 <= start <= 160 + 4 * 12  # what is taken, and some registers of four functions
    assert 40 <= interrupt <= 56


def test_a_call_through_a_pointer_reaches_the_worst_function(tmp_path):
    image = image_of(tmp_path, """
        ALONE void uart_came(void) { sink = 1; }
        static void small(void) { TAKE(16); }
        static void large(void) { TAKE(200); }
        void (*const table[])(void) = {small, large};
        ALONE int main(void) { table[sink & 1](); return sink; }""")
    status, said = bound(image)
    assert status == 0
    assert 200 <= numbers(said)[2] <= 232


def test_more_than_is_reserved_is_refused(tmp_path):
    image = image_of(tmp_path, """
        ALONE void uart_came(void) { sink = 1; }
        ALONE int main(void) { TAKE(300); return sink; }""", stack_bytes=320)
    status, said = bound(image)
    assert status == 1
    assert re.search(r"3\d\d bytes may be used, 320 are reserved", said)


@pytest.mark.parametrize("text, complaint", [
    ("""ALONE int deeper(int n) { TAKE(8); return n ? deeper(n - 1) + sink : 0; }
        ALONE int main(void) { return deeper(sink); }""", "recursion: deeper > deeper"),
    ("""int there(int n);
        ALONE int back(int n) { TAKE(8); return n ? there(n - 1) + sink : 0; }
        ALONE int there(int n) { TAKE(8); return back(n) + sink; }
        ALONE int main(void) { return there(sink); }""", "recursion: there > back > there"),
    ("""ALONE void fill(volatile char *bytes) { bytes[0] = 1; }
        ALONE int main(void) { int n = sink; volatile char bytes[n]; fill(bytes); return sink; }""",
     "the frame of main has no fixed size"),
])
def test_what_cannot_be_bounded_is_refused(tmp_path, text, complaint):
    image = image_of(tmp_path, "ALONE void uart_came(void) { sink = 1; }\n" + text)
    status, said = bound(image)
    assert status == 1
    assert complaint in said
