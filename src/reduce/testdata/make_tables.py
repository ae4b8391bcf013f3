#!/usr/bin/env python3
"""Writes the tables that the tests compare with, from CPython's own arithmetic.

    python3 make_tables.py      (in this folder; the same bytes every time)

repr.txt       bits of a double, its repr()
parse.txt      bits of a double, a text that float() reads as it
fsum.txt       bits of math.fsum(values), the values
products.txt   bits of the product of the values as fractions, rounded once, the values
"""

import math
import random
import struct
from fractions import Fraction


def bits(value):
    return format(struct.unpack("<Q", struct.pack("<d", value))[0], "016x")


def double(number):
    return struct.unpack("<d", struct.pack("<Q", number))[0]


def finite(source):
    while True:
        value = double(source.getrandbits(64))
        if math.isfinite(value):
            return value


def write(name, lines):
    with open(name, "w", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)


def repr_values(source):
    largest, smallest, normal = double(0x7FEFFFFFFFFFFFFF), double(1), double(1 << 52)
    values = [0.0, 1.0, 0.1, 0.5, 1.5, 5050.0, 100.0, 123456789.0, 1e-4, 1e-5, 9.999e-5, 0.00012345, 1e-7, 1.5e-7]
    values += [1e15, 1e16, 9999999999999998.0, 12345678901234567.0, 1e17, 1e21, 1e22, 1e23, 2e23, 9.5e22, 1e100]
    values += [1e99, 1e-99, 1.25e-100, 123456.789, 1 / 3, 2 / 3, math.pi, 5e-324, 1e-323, 2.5e-323, 1.7e308]
    values += [largest, normal, double((1 << 52) - 1), smallest, 2.0**53, 2.0**53 - 1, 2.0**54 + 4, 4503599627370497.5]
    values += [9007199254740993.0, 8.41e21, 2.0**-44, 9.109e-31, 6.02214076e23, math.inf]
    values += [10.0**power for power in range(-30, 31)]
    values += [2.0**power for power in range(-1074, 1024, 37)]
    values += [math.nextafter(10.0**power, math.inf) for power in range(-8, 25)]
    values += [finite(source) for _ in range(120)]
    values += [double(source.getrandbits(52)) for _ in range(20)]
    values += [round(source.uniform(0, 10**5), source.randrange(8)) for _ in range(60)]
    values += [source.randrange(10**17) * 1.0 for _ in range(20)]
    # Between two shortest texts, equally near to both.
    values += [1059438285926254.25, 26363981746409.3125, 0.5 + 2.0**50, 2.0**49 + 0.125]
    values += [source.randrange(1 << 50, 1 << 53) / source.choice([4.0, 8.0, 16.0, 64.0]) for _ in range(100)]
    return [signed for value in values for signed in (value, -value)] + [math.nan]


def parse_texts():
    texts = "1.5 .5 5. 1e6 1E-3 +1.5 -.5 -5. +.5e1 5.e1 00.10 1e0 1E+05 -1e-0 0e0 -0.0 +0.0 1e400 -1e400 1e-400 -1e-400"
    texts += " inf -inf +inf INF Infinity -infinity iNfInItY 0.1 0.2 0.30000000000000004 1e23 8.5e-324 2.4703282292062327e-324"
    texts += " 2.4703282292062328e-324 2.2250738585072011e-308 2.2250738585072014e-308 1.7976931348623157e308"
    texts += " 1.7976931348623158e308 1.7976931348623159e308 9007199254740993.0 9007199254740992.9999 9007199254740993.00000001"
    texts += " 123456789012345678901234567890.0 0.000000000000000000000000000000000000000000001 1e00000000000000000000005"
    texts += " 1.00000000000000011102230246251565404236316680908203125 1.00000000000000011102230246251565404236316680908203124"
    texts += " 1.00000000000000011102230246251565404236316680908203126 6.02214076e23 -1.602176634E-19 1e22 1e-22 3.e-5"
    return texts.split() + ["0." + "0" * 400 + "1e401", "1" + "0" * 400 + ".0e-400"]


def fsum_lists(source):
    largest, smallest = double(0x7FEFFFFFFFFFFFFF), double(1)
    half = 2.0**-53
    yield from ([], [0.0], [-0.0], [-0.0, 0.0], [0.1] * 10, [0.1, 0.2, 0.3], [1e100, 1.0, -1e100], [1e308, -1e308, 1e-308])
    yield from ([1.0, half], [1.0, half, smallest], [1.0, half, -smallest], [1.0, half, half], [1.0 + 2 * half, half])
    yield from ([1.0, -half / 2], [1.0, -half / 2, smallest], [1.0, -half / 2, -smallest], [2.0**53, 1.0], [2.0**53, 1.0, 1e-300])
    yield from ([-1.0, -half], [-1.0, -half, -smallest], [2.0**53 + 2, 1.0], [2.0**53 + 2, 1.0, -1e-300], [1e16, 1.0, 1e-16])
    yield from ([smallest] * 3, [smallest, -smallest], [2.0**-1022, -smallest], [2.0**-1022 - smallest, smallest])
    yield from ([largest], [largest, -largest], [largest, 2.0**969], [largest, -2.0**969], [-largest, 2.0**970])
    yield from ([largest, smallest], [largest, -largest, smallest], [2.0**1023, -smallest], [2.0**1023, 2.0**970, smallest])
    for _ in range(60):
        values = [finite(source) / 64 for _ in range(source.randrange(1, 12))]
        values += [-value for value in values if source.random() < 0.8]
        source.shuffle(values)
        yield values
    for _ in range(60):
        values = [source.choice([-1, 1]) * 2.0 ** source.randrange(-60, 60) for _ in range(source.randrange(2, 20))]
        yield values
    for _ in range(30):
        yield [source.choice([-1, 1]) * double(source.getrandbits(source.randrange(1, 54))) for _ in range(source.randrange(1, 10))]
    for _ in range(20):
        yield [source.gauss(0, 1) for _ in range(80)]
    for _ in range(20):
        # Half a unit of the last place, with a tiny push to either side or none.
        value = source.uniform(1, 2) * 2.0 ** source.randrange(-900, 900)
        push = source.choice([0.0, smallest, -smallest, math.ulp(value) * 2.0**-60, -math.ulp(value) * 2.0**-60])
        yield [value, math.ulp(value) / 2, push]


def products(source):
    def factors(count, exponents):
        return [source.choice([-1, 1]) * source.uniform(1, 2) * 2.0 ** source.randrange(*exponents) for _ in range(count)]

    smallest = double(1)
    yield from ([1.0], [0.1, 3.0], [0.1, 10.0], [1e200, 1e200, 1e-200, 1e-200], [1e200, 1e200], [-1e200, 1e200], [1e-200, 1e-200])
    yield from ([-1e-200, 1e-200], [smallest, 0.5], [smallest, 0.5000000000000001], [smallest, -0.5], [smallest, 1.5], [smallest, 2.5])
    yield from ([1 + 2.0**-52, 1 + 2.0**-52], [1 + 2.0**-52, 1 - 2.0**-53], [3.0, 1 / 3], [2.0**-1022, 1 - 2.0**-53], [2.0**-1022, 0.5])
    yield from ([2.0**1023, 2 - 2.0**-52], [2.0**1023, 2 - 2.0**-52, 1 + 2.0**-52], [2.0**1023, 2.0], [2.0**512] * 2 + [1 - 2.0**-53])
    yield from ([2.0**512] * 2 + [1 - 2.0**-53, 1 + 2.0**-53 * 2], [9007199254740993.0, 3.0], [94906267.0, 94906267.0])
    for _ in range(40):
        yield factors(source.randrange(1, 30), (-30, 30))
    for _ in range(30):
        yield factors(source.randrange(2, 8), (-300, 300))
    for _ in range(30):
        values = factors(source.randrange(2, 5), (-40, 40))
        # Brought down among the subnormals.
        total = sum(math.frexp(value)[1] for value in values)
        yield values + [2.0**-540, 2.0 ** (-540 - total + source.randrange(0, 70))]
    for _ in range(10):
        yield [finite(source) for _ in range(source.randrange(1, 40))]


def exact_product(values):
    product = math.prod(Fraction(value) for value in values)
    try:
        return product.numerator / product.denominator
    except OverflowError:
        return math.inf if product > 0 else -math.inf


def main():
    source = random.Random(20150521)
    write("repr.txt", (f"{bits(value)} {value!r}" for value in repr_values(source)))
    write("parse.txt", (f"{bits(float(text))} {text}" for text in parse_texts()))
    write("fsum.txt", (" ".join([bits(math.fsum(values)), *map(repr, values)]) for values in fsum_lists(source)))
    write("products.txt", (" ".join([bits(exact_product(values)), *map(repr, values)]) for values in products(source)))


main()
