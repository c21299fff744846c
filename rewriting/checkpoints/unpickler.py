"""A pickle is a small program.  This interpreter runs it with nothing but data within its reach.

It imports nothing and looks nothing up: a name in the file ("GLOBAL") is only a key of a table that the caller gives,
and a call in the file ("REDUCE", "NEWOBJ") is a call of that table's entry.  Names outside the table are refused.
Instructions that such files do not use (INST, OBJ, EXT1, ...) do not exist here.  What could be large is bounded by
the file: no instruction makes more data than it brings, keys of tables are plain, sets are dropped.
"""

from __future__ import annotations

import os
import pickletools
import struct
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from rewriting.checkpoints.contents import CheckpointError, quoted

Table = Mapping[tuple[str, str], Callable[..., Any]]
MAX_INSTRUCTIONS = 1_000_000
NAME_LIMIT = 100
DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError, struct.error)
PUSHED = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "EMPTY_SET": ()}


class Global:
    """A name in the file; it cannot be called, only looked up in the table."""

    def __init__(self, key: tuple[str, str]):
        self.key = key


class Window:
    """A file that never gives, or makes room for, more bytes than it has left."""

    def __init__(self, file: BinaryIO):
        self._file, here = file, file.tell()
        self._size = file.seek(0, os.SEEK_END)
        file.seek(here)
        self.tell, self.readline = file.tell, file.readline

    def read(self, count: int) -> bytes:
        if count > self._size - self._file.tell():
            raise EOFError
        return self._file.read(count)


class Interpreter:
    """Reads one pickle from an open file, at its position; afterwards the position is behind it.

    table: {(module, name): what to call instead}.  persistent: what stands for a persistent id, None to refuse them.
    """

    def __init__(self, file: BinaryIO, table: Table, persistent: Callable[[Any], Any] | None = None):
        self.file, self.table, self.persistent = Window(file), table, persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The object.  Raises CheckpointError, which names what is refused, or says that the file is damaged."""
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
        if (module, name) not in self.table:
            raise CheckpointError(
                f"It asks for {quoted(f'{module}.{name}', NAME_LIMIT)}, which is a program and not weights; nothing "
                f"of it was run."
            )
        self.stack.append(Global((module, name)))

    def _reduce(self, _: None) -> None:
        arguments, what = self.stack.pop(), self.stack.pop()
        if type(what) is not Global or type(arguments) is not tuple:
            raise CheckpointError("It calls something that is no name; it was made to do harm, or is damaged.")
        self.stack.append(self.table[what.key](*arguments))

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
        if type(self.stack[-1]) is not list:
            raise CheckpointError(f"It appends to a {type(self.stack[-1]).__name__}; it is damaged.")
        self.stack[-1].extend(items)

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _setitems(self, _: None) -> None:
        self._update(self._marked())

    def _update(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not dict or len(items) % 2:
            raise CheckpointError(f"It sets entries of a {type(self.stack[-1]).__name__}; it is damaged.")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int, float, bytes):  # a tuple of tuples of tuples takes for ever to hash
                raise CheckpointError(f"It has a table with a {type(key).__name__} as a key; expected names.")
            self.stack[-1][key] = value

    def _additems(self, _: None) -> None:
        self._marked()

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
        """Protocols differ in the instructions that they use, which are checked one by one."""

    def _frame(self, _: int) -> None:
        """Frames only help a reader to read ahead."""
