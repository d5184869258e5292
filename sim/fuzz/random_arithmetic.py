"""Random expressions of arithmetic that compilers make something special of: division, saturation, checked sums."""

from __future__ import annotations


def type_name(width: int, signed: bool) -> str:
    return f"ap_{'' if signed else 'u'}int<{width}>"


class Arithmetic:
    """A part of `RandomCpp`: each method returns an expression as (text, width, signed)."""

    def _divide(self, depth):
        """By a constant: a power of two or not, of any sign, an ap number or a built-in integer."""
        rng = self.rng
        a, width, signed = self.value(depth)
        if width > 70:
            a, width, signed = self.cast(a, rng.randint(33, 70), signed)
        if rng.random() < 0.3:
            number, bits, sign = 1 << rng.randint(0, min(width + 1, 10)), 12, False
        else:
            bits, sign = rng.choice([3, 8, 12, 20, 31]), rng.random() < 0.4
            number = rng.choice([3, 5, 7, 10, 100, 1000, 65537, rng.getrandbits(31)]) % (1 << (bits - sign)) or 3
            number = -number if sign and rng.random() < 0.5 else number
        divisor = f"{type_name(bits, sign)}({number})"
        if rng.random() < 0.3:
            divisor, bits, sign = f"({number})", 32, True
        if rng.random() < 0.5:
            return self.fit(f"({a} / {divisor})", width + sign, signed or sign)
        return f"({a} % {divisor})", min(width, bits + (signed and not sign)), signed

    def _method(self, depth):
        rng = self.rng
        a, width, signed = self.value(depth)
        kind = rng.randrange(3)
        if kind == 0:
            return self.cast(f"{type_name(width, signed)}({a}).countLeadingZeros()", *self.any_type())
        if kind == 1:
            return self.cast(f"{type_name(width, signed)}({a}).reverse()", width, signed)
        amount = str(rng.randrange(width))
        if width >= 2 and rng.random() < 0.4:
            amount = f"{type_name(width.bit_length() - 1, False)}({self.value(depth - 1)[0]}).to_int()"
        return self.cast(f"{type_name(width, False)}({a}).{rng.choice('lr')}rotate({amount})", width, False)

    def _saturated(self, depth):
        """A sum cut to the limits of a narrower type, from which LLVM makes its saturating intrinsics."""
        rng = self.rng
        width, signed = rng.choice([4, 8, 13, 16, 24, 30]), rng.random() < 0.6
        low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        a, b = (self.cast(self.value(depth - 1)[0], width, signed)[0] for _ in range(2))
        name = type_name(width, signed)
        if rng.random() < 0.5:
            total = f"({a} {rng.choice('+-')} {b})"
        else:
            total = f"({a}.to_int() {rng.choice('+-')} {b}.to_int())"
        return f"({total} > {high} ? {name}({high}) : {total} < {low} ? {name}({low}) : {name}({total}))", width, signed

    def _checked(self, depth):
        """The compilers' own checked arithmetic on built-in integers."""
        rng = self.rng
        kind, bits, signed = rng.choice(
            [("signed char", 8, True), ("unsigned char", 8, False), ("short", 16, True), ("unsigned short", 16, False)]
            + [("int", 32, True), ("unsigned", 32, False), ("long long", 64, True), ("unsigned long long", 64, False)]
        )
        a, b = (f"({kind}){self.cast(self.value(depth - 1)[0], bits, signed)[0]}" for _ in range(2))
        function = f"__builtin_{rng.choice(['add', 'sub', 'mul'])}_overflow"
        instead = rng.choice(["0", "1", "r / 2", f"({kind})-1"])
        text = f"({{ {kind} r; bool over = {function}({a}, {b}, &r); over ? ({kind})({instead}) : r; }})"
        return self.cast(text, *self.any_type())
