/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A byte stream from another machine, judged before a bus library sees it: however it is cut, the verdict is
 * the same. */

#include "agent/frames.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        if (size < 2)
                return;
        const unsigned step = 1 + data[0] % 17;
        const bool from_client = data[1] & 1;
        Frames whole = from_client ? FRAMES_FROM_CLIENT(4096) : FRAMES_FROM_SERVER(4096), cut = whole;
        FramesVerdict one = FRAMES_GOOD, many = FRAMES_GOOD;

        data += 2;
        size -= 2;
        if (size > 0)
                one = frames_feed(&whole, data, size);
        for (size_t at = 0; at < size && (many == FRAMES_GOOD || many == FRAMES_DOUBT); at += step)
                many = frames_feed(&cut, data + at, MIN((size_t) step, size - at));
        fuzz_check(one == many);
        fuzz_check(fuzz_is_ascii(frames_line(&whole)));
        fuzz_check(one != FRAMES_FOREIGN || strcmp(frames_line(&whole), frames_line(&cut)) == 0);
}
