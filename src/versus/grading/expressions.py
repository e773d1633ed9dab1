"""Reading an expression's tokens as a value of the normal form."""

import math
from collections.abc import Sequence
from fractions import Fraction

from versus.grading import algebra
from versus.grading.algebra import Algebra, TooHard, Value
from versus.grading.bounds import FACTORIAL, NESTING
from versus.grading.cursor import Cursor
from versus.grading.functions import FORMULAS, LETTERS
from versus.grading.numerals import decimal
from versus.grading.tokens import COMMAND, LETTER, NUMBER, Token

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def evaluate(source: Sequence[Token], algebra_: Algebra) -> Value:
    """The value that the tokens write.

    Raises:
        TooHard: if they are no expression of this grammar or the value is out of bounds.
    """
    reader = _Reader(source, algebra_)
    value = reader.sum()
    reader.finish()
    return value


class _Reader(Cursor):
    """A recursive descent over the tokens."""

    def __init__(self, source: Sequence[Token], algebra_: Algebra) -> None:
        super().__init__(source)
        self._algebra = algebra_
        self._depth = 0
        self._bars = 0
        self._angle = False

    def sum(self) -> Value:
        """Terms with plus and minus between them."""
        self._deeper()
        total = self._signed()
        while self._next.text in ("+", "-"):
            total = self._algebra.add(total, self._signed())
        self._depth -= 1
        return total

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > NESTING:
            raise TooHard("nested too deep")

    def _signed(self) -> Value:
        negative = False
        while self._next.text in ("+", "-"):
            negative ^= self._take().text == "-"
        value = self._product()
        return self._algebra.negate(value) if negative else value

    def _product(self) -> Value:
        value = self._mixed()
        while True:
            if self._skip("*"):
                value = self._algebra.multiply(value, self._operand())
            elif self._skip("/"):
                value = self._algebra.divide(value, self._operand())
            elif self._continues():
                value = self._algebra.multiply(value, self._power())
            else:
                return value

    def _operand(self) -> Value:
        negative = False
        while self._next.text in ("+", "-"):
            negative ^= self._take().text == "-"
        value = self._power()
        return self._algebra.negate(value) if negative else value

    def _continues(self) -> bool:
        """Whether a factor follows without a sign of multiplication."""
        kind, text, _ = self._next
        if text == "|":
            return not self._bars
        return kind == LETTER or text in _PAIRS or (kind == COMMAND and text != "\\%")

    def _mixed(self) -> Value:
        """A factor; a whole number before a proper fraction is added to it."""
        start = self._at
        whole = self._take()
        if whole.kind == NUMBER and whole.text.isdigit():
            fraction = self._proper_fraction()
            if fraction is not None:
                total = Fraction(int(whole.text)) + fraction
                return self._powered(algebra.constant(total))
        self._at = start
        return self._power()

    def _proper_fraction(self) -> Fraction | None:
        """The fraction of a mixed number, if one follows."""
        upper = lower = ""
        if self._next.text == "\\frac":
            here, kept = self._at, list(self._tokens)
            self._at += 1
            upper, lower = self._digits(), self._digits()
            if not self._is_proper(upper, lower):
                self._at, self._tokens = here, kept
                return None
            return Fraction(int(upper), int(lower))
        texts = [token.text for token in self._tokens[self._at : self._at + 3]]
        if len(texts) == 3 and texts[1] == "/" and self._next.spaced:
            upper, _, lower = texts
        if not self._is_proper(upper, lower):
            return None
        self._at += 3
        return Fraction(int(upper), int(lower))

    @staticmethod
    def _is_proper(upper: str, lower: str) -> bool:
        return upper.isdigit() and lower.isdigit() and int(upper) < int(lower)

    def _digits(self) -> str:
        """The digits of an argument of a fraction, or nothing."""
        if self._next.kind == NUMBER:
            return self._digit()
        inner = [token.text for token in self._tokens[self._at : self._at + 3]]
        if len(inner) == 3 and inner[0] == "{" and inner[2] == "}" and inner[1].isdigit():
            self._at += 3
            return inner[1]
        return ""

    def _digit(self) -> str:
        """One digit of the number that follows, as LaTeX takes an argument without braces."""
        number = self._take()
        if not number.text.isdigit() or len(number.text) == 1:
            return number.text
        self._at -= 1
        self._tokens[self._at] = number._replace(text=number.text[1:], spaced=False)
        return number.text[0]

    def _power(self) -> Value:
        return self._powered(self._atom())

    def _powered(self, base: Value) -> Value:
        self._deeper()
        while True:
            if self._skip("^"):
                base = self._algebra.power(base, self._exponent())
            elif self._skip("!"):
                base = algebra.constant(math.factorial(_small(base)))
            elif self._angle and self._next.text == "°":
                base = self._degrees(base)
            else:
                self._depth -= 1
                return base

    def _degrees(self, value: Value) -> Value:
        self._expect("°")
        degree = self._algebra.multiply(algebra.pi(), algebra.constant(Fraction(1, 180)))
        return self._algebra.multiply(value, degree)

    def _exponent(self) -> Value:
        negative = self._skip("-")
        value = self._power()
        return self._algebra.negate(value) if negative else value

    def _atom(self) -> Value:
        kind, text, _ = token = self._take()
        if kind == NUMBER:
            return self._number(text)
        if text in _PAIRS:
            return self._group(_PAIRS[text])
        if text == "|":
            return self._absolute()
        if kind == LETTER or text in LETTERS:
            return self._symbol(token)
        if text == "\\pi":
            return algebra.pi()
        if text in ("\\frac", "\\binom"):
            return self._two(text)
        if text == "\\sqrt":
            return self._root()
        if kind == COMMAND and text[1:] in FORMULAS:
            return self._function(text[1:])
        raise TooHard(f"unexpected {text or 'end'}")

    def _number(self, text: str) -> Value:
        repeating = ""
        if "." in text and self._next.text == "\\overline":
            self._at += 1
            repeating = "".join(token.text for token in self._group_tokens())
            if not repeating.isdigit():
                raise TooHard("digits expected")
        value = decimal(text, repeating)
        if value is None:
            raise TooHard("numeral too long")
        return algebra.constant(value)

    def _group_tokens(self) -> list[Token]:
        if not self._skip("{"):
            return [self._take()]
        start = self._at
        while self._next.text not in ("}", ""):
            self._at += 1
        self._expect("}")
        return self._tokens[start : self._at - 1]

    def _group(self, closing: str) -> Value:
        bars, self._bars = self._bars, 0
        value = self.sum()
        self._expect(closing)
        self._bars = bars
        return value

    def _absolute(self) -> Value:
        self._bars += 1
        inside = self.sum()
        self._expect("|")
        self._bars -= 1
        known = inside.rational
        if known is not None:
            return algebra.constant(abs(known))
        return self._algebra.function("abs", abs, inside)

    def _symbol(self, token: Token) -> Value:
        if token.text == "i" and self._next.text != "_":
            return algebra.imaginary()
        name = token.text
        if self._skip("_"):
            name += "_" + "".join(part.text for part in self._group_tokens())
        while self._skip("'"):
            name += "'"
        return algebra.symbol(name)

    def _argument(self) -> Value:
        """An argument in braces, or one digit or atom."""
        if self._next.kind == NUMBER:
            return self._number(self._digit())
        return self._atom()

    def _two(self, command: str) -> Value:
        upper, lower = self._argument(), self._argument()
        if command == "\\frac":
            return self._algebra.divide(upper, lower)
        n, k = _small(upper), _small(lower)
        return algebra.constant(math.comb(n, k))

    def _root(self) -> Value:
        degree = 2
        if self._skip("["):
            degree = _small(self._group("]"))
        self._deeper()
        value = self._algebra.root(self._atom(), degree)
        self._depth -= 1
        return value

    def _function(self, name: str) -> Value:
        base = self._atom() if name == "log" and self._skip("_") else None
        power = self._exponent() if self._skip("^") else None
        inside = self._inside()
        if base is None:
            value = self._algebra.function(name, FORMULAS[name], inside)
        else:
            value = self._algebra.function("log of", math.log, inside, base)
        if power is None:
            return value
        if power.rational is None or power.rational <= 0:
            raise TooHard("power of a function")
        return self._algebra.power(value, power)

    def _inside(self) -> Value:
        """What a function is applied to: a group, or factors up to a sign or another function."""
        angle, self._angle = self._angle, True
        self._deeper()
        if self._next.text in _PAIRS:
            value = self._atom()  # a power behind the bracket belongs to the function
            if self._next.text == "°":
                value = self._degrees(value)
        else:
            value = self._operand()
            while self._continues() and self._next.text[1:] not in FORMULAS:
                value = self._algebra.multiply(value, self._power())
        self._depth -= 1
        self._angle = angle
        return value


def _small(value: Value) -> int:
    """A whole number that is not too large for a factorial, a binomial or a root."""
    known = value.rational
    if known is None or known.denominator != 1 or not 0 <= known <= FACTORIAL:
        raise TooHard("a small whole number expected")
    return int(known)
