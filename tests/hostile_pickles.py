"""Pickles that no honest program writes, put together instruction by instruction."""

import io
import pickle
import pickletools
import struct
from collections.abc import Iterator
from pathlib import Path

import torch

PROTO = b"\x80\x04"
LOAD, PERSISTENT = "torch.storage _load_from_bytes", "torch_utils.persistence _reconstruct_persistent_obj"
FUNCTIONS = (
    *("os system", "posix system", "nt system", "subprocess Popen", "builtins eval", "builtins exec"),
    *("builtins getattr", "builtins __import__", "builtins open", "numpy load", "torch load", "runpy run_path"),
    *("importlib import_module", "shutil rmtree", "webbrowser open", "pickle loads", "torch.hub load"),
    *("torch_utils.persistence _src_to_module", "dnnlib.util call_func_by_name", "dnnlib.util get_obj_by_name"),
    *("operator attrgetter", "functools partial", "types FunctionType", "timeit timeit", "pty spawn"),
)


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(where: str) -> bytes:
    """GLOBAL "module name" """
    return b"c" + where.replace(" ", "\n").encode() + b"\n"


def call(where: str, *arguments: bytes) -> bytes:
    return name(where) + b"(" + b"".join(arguments) + b"tR"


def bombs(command: str) -> dict[str, bytes]:
    """Every instruction that calls something, aimed at os.system(command); each leaves one value on the stack."""
    argument = text(command)
    return {
        "REDUCE": call("os system", argument),
        "STACK_GLOBAL": text("os") + text("system") + b"\x93(" + argument + b"tR",
        "INST": b"(" + argument + b"ios\nsystem\n",
        "OBJ": b"(" + name("os system") + argument + b"o",
        "NEWOBJ": name("os system") + b"(" + argument + b"t\x81",
        "NEWOBJ_EX": name("os system") + b"(" + argument + b"t}\x92",
        "BUILD": name("os system") + b"}" + b"b",
        "EXT1": b"\x82\x01",
        "EXT2": b"\x83\x01\x00",
        "EXT4": b"\x84\x01\x00\x00\x00",
        "PERSID": b"Pos.system\n",
        "BINPERSID": argument + b"Q",
        "BUFFER": b"\x97",
        "READONLY": b"\x97\x98",
    }


def spliced(valid: bytes, command: str) -> Iterator[tuple[str, bytes]]:
    """A valid pickle with a bomb before the first instruction of every kind that it has, its value dropped again."""
    seen = set()
    for opcode, _, position in pickletools.genops(valid):
        if opcode.name not in seen | {"PROTO", "FRAME"}:
            seen.add(opcode.name)
            bomb = call("os system", text(command)) + b"0"
            yield f"before {opcode.name}", _unframed(valid, position, bomb)


def _unframed(valid: bytes, position: int, bomb: bytes) -> bytes:
    """Insert; frames, whose lengths would no longer be right, only matter to readers that read ahead."""
    return valid[:position] + bomb + valid[position:]


def array(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    """A numpy array: _reconstruct(ndarray, (0,), b"b") and its state."""
    start = call("numpy.core.multiarray _reconstruct", name("numpy ndarray"), b"K\x00\x85", b"C\x01b")
    state = b"(K\x03" + text("<") + b"NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00t"
    kind = call("numpy dtype", dtype, b"\x89", b"\x88") + state + b"b"
    return start + b"(K\x01" + shape + kind + b"\x89" + blob(data) + b"tb"


def blob(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def storage(values: torch.Tensor) -> bytes:
    """How a persistent object's pickle holds a storage."""
    typed = torch.storage.TypedStorage(wrap_storage=values.untyped_storage(), dtype=values.dtype, _internal=True)
    file = io.BytesIO()
    torch.save(typed, file, _use_new_zipfile_serialization=False)
    return call(LOAD, blob(file.getvalue()))


def integer(value: int) -> bytes:
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def tensor(stored: bytes, shape: bytes, strides: bytes, offset: int = 0) -> bytes:
    hooks = call("collections OrderedDict")
    return call("torch._utils _rebuild_tensor_v2", stored, integer(offset), shape, strides, b"\x89", hooks)


def module(state: bytes) -> bytes:
    """A persistent object with that state (instructions that leave a dict)."""
    meta = text("type") + text("class") + text("class_name") + text("Generator") + text("state") + state
    return call(PERSISTENT, b"}(" + meta + b"u")


def table(**entries: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def network(state: bytes) -> bytes:
    return name("dnnlib.tflib.network Network") + b")\x81" + state + b"b"


def pickles(valid: bytes, command: str) -> Iterator[tuple[str, bytes]]:
    """(what is wrong with it, file) of bare pickles, made around a valid NVIDIA one."""
    for label, bomb in bombs(command).items():
        yield f"{label} at the top", PROTO + bomb + b"."
        yield f"{label} as G_ema", PROTO + table(G_ema=bomb) + b"."
        yield f"{label} in a module", PROTO + table(G_ema=module(table(_parameters=table(w=bomb)))) + b"."
        yield f"{label} in variables", PROTO + network(table(variables=b"](" + bomb + b"e")) + b"."
    for where in FUNCTIONS:
        yield f"calls {where}", PROTO + table(G_ema=call(where, text(command))) + b"."
    yield from spliced(valid, command)
    yield from _sizes()
    yield from _rings()
    yield from _damage(valid, command)


def _g_ema(**parameters: bytes) -> bytes:
    return PROTO + table(G_ema=module(table(_parameters=table(**parameters)))) + b"."


def _sizes() -> Iterator[tuple[str, bytes]]:
    """Much out of little."""
    huge, stored = integer(2**38), storage(torch.ones(4))
    yield "memo index 2^32-1", PROTO + b"Nr\xff\xff\xff\xff."
    yield "bytes of 2^62", PROTO + b"\x8e" + struct.pack("<Q", 2**62) + b"x."
    yield "bytes of 4 GB", PROTO + b"B\xff\xff\xff\xffx."
    yield "text of 2^62", PROTO + b"\x8d" + struct.pack("<Q", 2**62) + b"x."
    yield "frame of 2^62", PROTO + b"\x95" + struct.pack("<Q", 2**62) + b"N."
    yield "long of 2 GB", PROTO + b"\x8b\xff\xff\xff\x7fx."
    yield "negative long", PROTO + b"\x8b\xff\xff\xff\xff."
    yield "bytearray of 2^62", b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"."
    yield "tensor larger than stored", _g_ema(w=tensor(stored, huge + b"\x85", b"K\x01\x85"))
    yield "tensor of stride 0", _g_ema(w=tensor(stored, huge + b"\x85", b"K\x00\x85"))
    yield "tensor of negative stride", _g_ema(w=tensor(stored, b"K\x02\x85", integer(-1) + b"\x85"))
    yield "tensor of negative size", _g_ema(w=tensor(stored, integer(-4) + b"\x85", b"K\x01\x85"))
    yield "tensor behind the end", _g_ema(w=tensor(stored, b"K\x02\x85", b"K\x01\x85", offset=2**40))
    yield "tensor of 400 axes", _g_ema(w=tensor(stored, b"(" + b"K\x01" * 400 + b"t", b"(" + b"K\x01" * 400 + b"t"))
    yield "tensor of a text", _g_ema(w=tensor(text("storage"), b"K\x02\x85", b"K\x01\x85"))
    yield "tensor of a text's shape", _g_ema(w=tensor(stored, text("4"), text("1")))
    f4 = text("f4")
    yield "array larger than stored", PROTO + network(_variable(array(huge + b"\x85", f4, b"1234"))) + b"."
    yield "array of negative size", PROTO + network(_variable(array(integer(-1) + b"\x85", f4, b"1234"))) + b"."
    yield "array of objects", PROTO + network(_variable(array(b"K\x01\x85", text("O8"), b"12345678"))) + b"."
    yield "array of structures", PROTO + network(_variable(array(b"K\x01\x85", text("f4,O8"), b"1234"))) + b"."
    yield "array of complex", PROTO + network(_variable(array(b"K\x01\x85", text("c8"), b"12345678"))) + b"."
    begin = call("numpy.core.multiarray _reconstruct", name("numpy ndarray"), huge + b"\x85", b"C\x01b")
    yield "array of 2^38 from the start", PROTO + network(_variable(begin)) + b"."
    yield "bytes in another encoding", PROTO + call("_codecs encode", text("a"), text("zip")) + b"."
    yield "a million marks", PROTO + b"(" * 1_100_000 + b"."


def _variable(value: bytes) -> bytes:
    return table(variables=b"](" + text("w") + value + b"\x86e", components=b"}", static_kwargs=b"}")


def _rings() -> Iterator[tuple[str, bytes]]:
    """Things that contain themselves, or each other so often that walking through them never ends."""
    pairs = [(2 * (b"h" + bytes([i])), b"q" + bytes([i + 1])) for i in range(100)]  # get twice, then put
    doubled = b"N\x85q\x00" + b"".join(twice + b"\x86" + put for twice, put in pairs)
    lists = b"]q\x00" + b"".join(b"](" + twice + b"e" + put for twice, put in pairs)
    yield "list in itself", PROTO + b"]q\x00h\x00a."
    yield "dict in itself", PROTO + b"}q\x00" + text("G_ema") + b"h\x00s."
    yield "key of nested tuples", PROTO + b"}" + doubled + b"Ns."
    yield "name of nested tuples", PROTO + doubled + doubled + b"\x93."
    yield "type of nested tuples", PROTO + network(_variable(array(b"K\x01\x85", doubled, b"1234"))) + b"."
    yield "class name of nested lists", PROTO + table(G_ema=module(table(_init_kwargs=lists))) + b"."
    yield "variable named by nested lists", PROTO + network(table(variables=b"](" + lists + b"N\x86e")) + b"."
    yield "arguments of nested lists", _g_ema(w=b"N")[:-1] + b"0" + table(G=module(table(_init_kwargs=lists))) + b"."
    ring = (
        name("dnnlib.tflib.network Network") + b")\x81q\x00" + table(components=table(a=b"h\x00", b=b"h\x00")) + b"b"
    )
    yield "network in itself", PROTO + ring + b"."
    children = b"}q\x05" + text("a") + module(table(_modules=b"h\x05")) + b"s"
    yield "module in itself", PROTO + table(G_ema=module(table(_modules=children))) + b"."
    wide = module(b"}") + b"q\x00"
    for level in range(1, 12):
        entries = b"".join(text(str(n)) + b"h" + bytes([level - 1]) for n in range(60))
        wide += b"0" + module(table(_modules=b"}(" + entries + b"u")) + b"q" + bytes([level])
    yield "60^11 modules", PROTO + wide + b"0" + table(G_ema=b"h\x0b") + b"."
    yield "100,000 nested lists", PROTO + b"]" * 100_000 + b"a" * 99_999 + b"."
    yield "100,000 nested tuples", PROTO + b")" + b"\x85" * 100_000 + b"."


def _damage(valid: bytes, command: str) -> Iterator[tuple[str, bytes]]:
    """Wrong in plainer ways."""
    plain = {
        "nothing on the stack": b".",
        "no end": b"N",
        "memo of nothing": b"h\x07.",
        "pop of nothing": b"0.",
        "tuple of nothing": b"\x86.",
        "append to nothing": b"Na.",
        "append to a tuple": b")Na.",
        "item of a list": b"]NNs.",
        "odd items": b"}(Nu.",
        "build of nothing": b"b.",
        "build of a list": b"]}b.",
        "reduce of a number": b"K\x01)R.",
        "reduce with no tuple": name("collections OrderedDict") + b"]R.",
        "a table from arguments": call("collections OrderedDict", b"]") + b".",
        "no module": b"cos.system\n.",
        "instruction 0": b"\x00.",
        "instruction 255": b"\xff.",
        "protocol 200": b"\x80\xc8N.",
        "protocol 0 dict": b"(dS'a'\np0\n.",
        "float text": b"F1.5\n.",
        "list": b"].",
        "text": text("G_ema") + b".",
        "None": b"N.",
        "three Nones": b"NNN\x87.",
        "discriminator only": table(D=b"N") + b".",
        "G_ema is a number": table(G_ema=b"K\x01") + b".",
        "a function persisted": call(PERSISTENT, table(type=text("function"))) + b".",
        "state is a list": call(PERSISTENT, table(type=text("class"), state=b"]")) + b".",
        "parameters are a list": table(G_ema=module(table(_parameters=b"](Ne"))) + b".",
        "modules are a text": table(G_ema=module(table(_modules=text("x")))) + b".",
        "storage of a text": call(LOAD, text("x")) + b".",
        "storage of a pickle": call(LOAD, b"C\x04\x80\x04N.") + b".",
        "no tensors": table(G_ema=module(b"}")) + b".",
    }
    for label, data in plain.items():
        yield label, PROTO + data
    yield "after the end of another", b"\x80\x04N." + valid
    yield "embedded in itself", PROTO + table(G_ema=call(LOAD, blob(valid))) + b"."
    begin = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {}))
    bomb = b"\x80\x02" + call("os system", text(command)) + b"."
    yield "bomb in a storage", PROTO + call(LOAD, blob(begin + bomb)) + b"."


def write(folder: Path, valid: bytes, command: str) -> Iterator[tuple[str, Path]]:
    """Write them all; (label, path)."""
    for index, (label, data) in enumerate(pickles(valid, command)):
        path = folder / f"pickle{index}.pkl"
        path.write_bytes(data)
        yield label, path
