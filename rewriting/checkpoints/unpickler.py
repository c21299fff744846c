"""An interpreter for pickles, which are small programs, with access to nothing but data.

It imports nothing: `objects.named` provides the stand-in for a name in the file ("GLOBAL"), and a call in the file
("REDUCE", "NEWOBJ") calls this stand-in.  Instructions that files of weights do not use (INST, OBJ, EXT1, ...) are not
implemented.  The file bounds the size of the result: no instruction creates more data than it reads, and sets, and
entries under keys other than texts and numbers, are dropped.
"""

from __future__ import annotations

import os
import pickletools
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

from rewriting.checkpoints.contents import CheckpointError
from rewriting.checkpoints.objects import MEANT, Global, Meanings, Thing, named

MAX_INSTRUCTIONS = 1_000_000
DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError, struct.error)
PUSHED = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "EMPTY_SET": ()}


class Window:
    """A file that never returns, or allocates, more bytes than it has left."""

    def __init__(self, file: BinaryIO):
        self._file, position = file, file.tell()
        self._size = file.seek(0, os.SEEK_END)
        file.seek(position)
        self.tell, self.readline = file.tell, file.readline

    def read(self, count: int) -> bytes:
        if count > self._size - self._file.tell():
            raise EOFError
        return self._file.read(count)


class Interpreter:
    """Reads one pickle at the position of an open file, and leaves the position behind it.

    persistent: returns the stand-in for a persistent id; None refuses such ids.  meant: stand-ins for further names.
    """

    def __init__(self, file: BinaryIO, persistent: Callable[[Any], Any] | None = None, meant: Meanings = MEANT):
        self.file, self.persistent, self.meant = Window(file), persistent, meant
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The object.  Raises CheckpointError for a forbidden name or instruction, or a damaged file."""
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(self.file)):
                if count > MAX_INSTRUCTIONS:
                    raise CheckpointError(
                        f"It has more than {MAX_INSTRUCTIONS:,} instructions; weights need far fewer."
                    )
                if opcode.name == "STOP":
                    return self.stack.pop()
                self._run(opcode.name, argument)
            raise EOFError
        except CheckpointError:
            raise
        except DAMAGE:
            raise CheckpointError(
                f"It is damaged or cut short near byte {self.file.tell():,}; fetch it again."
            ) from None

    def _run(self, name: str, argument: Any) -> None:
        if name in PUSHED:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        else:
            method = getattr(self, f"_{name.lower()}", None)
            if method is None:
                raise CheckpointError(f"It uses the pickle instruction {name}, which no file of weights needs.")
            method(argument)

    # --- names and calls ------------------------------------------------------------------------------------------

    def _global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(module, name)

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise CheckpointError("It asks for something by a name that is no text; it is damaged.")
        self.stack.append(named(module, name, self.meant))

    def _reduce(self, _: None) -> None:
        arguments, what = self.stack.pop(), self.stack.pop()
        if type(what) is not Global or type(arguments) is not tuple:
            raise CheckpointError("It calls something that is no name; it was made to do harm, or is damaged.")
        self.stack.append(what.make(*arguments))

    _newobj = _reduce

    def _build(self, _: None) -> None:
        state = self.stack.pop()
        if hasattr(self.stack[-1], "build"):
            self.stack[-1].build(state)
        elif type(self.stack[-1]) is not dict:  # attributes of a table mean nothing to us
            raise CheckpointError(f"It sets attributes of a {type(self.stack[-1]).__name__}, which has none.")

    def _binpersid(self, _: None) -> None:
        if self.persistent is None:
            raise CheckpointError("It refers to storage outside of itself; it was made to do harm, or is damaged.")
        self.stack.append(self.persistent(self.stack.pop()))

    # --- containers -----------------------------------------------------------------------------------------------

    def _empty_list(self, _: None) -> None:
        self.stack.append([])

    def _empty_dict(self, _: None) -> None:
        self.stack.append({})

    def _tuple(self, _: None) -> None:
        items = self._marked()  # which puts the stack from before the mark back
        self.stack.append(tuple(items))

    def _tuple1(self, _: None) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def _tuple2(self, _: None) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def _tuple3(self, _: None) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def _append(self, _: None) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: None) -> None:
        self._extend(self._marked())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(items)
        elif not isinstance(self.stack[-1], Thing):  # of a list that is not here, the items mean nothing
            raise CheckpointError(f"It appends to a {type(self.stack[-1]).__name__}; it is damaged.")

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _setitems(self, _: None) -> None:
        self._update(self._marked())

    def _update(self, items: list[Any]) -> None:
        table = self.stack[-1].items if isinstance(self.stack[-1], Thing) else self.stack[-1]
        if type(table) is not dict or len(items) % 2:
            raise CheckpointError(f"It sets entries of a {type(self.stack[-1]).__name__}; it is damaged.")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) in (str, int, float, bytes):  # a tuple of tuples of tuples takes for ever to hash
                table[key] = value

    def _additems(self, _: None) -> None:
        self._marked()

    def _frozenset(self, _: None) -> None:
        self._marked()
        self.stack.append(())

    # --- stack and memo -------------------------------------------------------------------------------------------

    def _marked(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _mark(self, _: None) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _pop(self, _: None) -> None:
        self.stack.pop()

    def _binput(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _long_binget = _binget

    def _proto(self, _: int) -> None:
        """Ignore the protocol; instructions are checked one by one."""

    def _frame(self, _: int) -> None:
        """Ignore frames, which only help to read ahead."""
