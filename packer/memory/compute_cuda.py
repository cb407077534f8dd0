"""What a CUDA card can run, and how many bytes it reserves for a result.

Source for the whole module: llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu
(ggml_backend_cuda_device_supports_op, ..._offload_op, ..._buffer_type_get_alloc_size) and fattn.cu.
"""

from packer.memory.compute_tensor import F16, F32, PRECISE, GraphTensor, tensor_bytes

OFFLOAD_MIN_ROWS = 32
"""Rows from which an operation on a host weight is worth sending the weight to a card."""

_ROW_PADDING = 512  # MATRIX_ROW_PADDING
_CELL_STRIDE = 256  # FATTN_KQ_STRIDE
_SCRATCH_ALIGNMENT = 128
_EQUAL_HEADS = frozenset({40, 64, 72, 80, 96, 112, 128, 256})
_CACHE_TYPES = frozenset({"f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"})
_VECTOR_TYPES = frozenset({"f16", "bf16", "q4_0", "q8_0"})
_VECTOR_HEADS = frozenset({64, 128, 256})
_UNMULTIPLIED = frozenset({"tq1_0", "tq2_0", "q8_1", "i8", "i16", "i32", "i64", "f64"})
_UNGATHERED = frozenset({"tq1_0", "tq2_0", "q8_1", "q8_K", "nvfp4", "i8", "i16", "i64", "f64"})
_SUPER_BLOCK = 256
_SCAN_STATES = frozenset({96, 128, 256})
_INDEXER_HEAD = 128
_INDEXER_HEADS = frozenset({4, 32, 64})


def allocation_bytes(tensor: GraphTensor, *, is_card: bool) -> int:
    """Bytes a backend reserves for a tensor, before alignment. Exact."""
    size = tensor_bytes(tensor)
    if not is_card:
        return size
    if tensor.operation == "flash_attn":
        return _with_scratch(tensor, size)
    if tensor.type.is_quantized:
        rest = tensor.shape[0] % _ROW_PADDING
        if rest:
            size += tensor.type.row_bytes(_ROW_PADDING - rest)
    return size


def batch_rows(node: GraphTensor) -> int:
    """Rows that decide whether an operation on a host weight is sent to a card."""
    if node.operation == "get_rows":
        return 0
    if node.operation == "mul_mat":
        return node.shape[1]
    if node.operation in ("mul_mat_id", "rope"):
        return node.shape[2]
    return node.rows


def can_run(node: GraphTensor, backend: int, host: int) -> bool:
    """Whether a card can run an operation: its operands are not on another card, the kind fits."""
    for source in node.sources:
        if source.home is not None and source.home not in (backend, host):
            return False
    check = _CHECKS.get(node.operation)
    return check is None or check(node)


def has_flash_kernel(node: GraphTensor) -> bool:
    """Whether CUDA has a flash-attention kernel for these heads and cache types."""
    query, key, value = node.sources[:3]
    head_k, head_v = key.shape[0], value.shape[0]
    ratio = query.shape[2] // key.shape[2]
    if head_k in _EQUAL_HEADS:
        fits = head_v == head_k
    elif not _groups_heads(node, ratio):
        fits = False
    elif head_k == 192:
        fits = head_v == 128 and ratio % 8 == 0
    elif head_k == 320:
        fits = head_v == 256 and ratio % 32 == 0
    else:
        fits = (head_k, head_v) in ((512, 512), (576, 512))
    return fits and key.type.name in _CACHE_TYPES and value.type.name in _CACHE_TYPES


def _groups_heads(node: GraphTensor, ratio: int) -> bool:
    """Whether the kernels for grouped queries apply."""
    key = node.sources[1]
    if ratio < 2 or len(node.sources) < 4 or key.shape[1] % _CELL_STRIDE or node.variant == "alibi":
        return False
    return all(
        stride % 16 == 0
        for operand in node.sources[:4]
        if not operand.type.is_quantized
        for stride in operand.layout[1:]
    )


def _with_scratch(node: GraphTensor, size: int) -> int:
    """Bytes of a flash-attention result with the f16 copies of keys and values behind it."""
    if not has_flash_kernel(node) or _reads_cache_as_it_is(node):
        return size
    key, value = node.sources[1:3]
    if key.type is not F16:
        size += -size % _SCRATCH_ALIGNMENT + _elements(key) * F16.block_bytes
    shares = value.root is not None and (
        value.root is key or (value.root is key.root and value.view_offset == key.view_offset)
    )
    if value.type is not F16 and not shares:
        size += -size % _SCRATCH_ALIGNMENT + _elements(value) * F16.block_bytes
    return size


def _reads_cache_as_it_is(node: GraphTensor) -> bool:
    """Whether a kernel is built that needs neither keys nor values in f16 (Ada and newer)."""
    query, key, value = node.sources[:3]
    head, rows = query.shape[0], query.shape[1]
    if key.type is not value.type or key.type.name not in _VECTOR_TYPES:
        return False
    if head not in _VECTOR_HEADS or key.shape[1] % _CELL_STRIDE:
        return False
    ratio = query.shape[2] // key.shape[2]
    if rows == 1 and not _groups_heads(node, ratio):
        return True
    if key.type.is_quantized:
        return rows <= 2
    is_heavy = ratio > 4 and (head >= 256 or key.shape[1] >= 8192)
    return rows == 1 and query.shape[3] == 1 and not is_heavy


def _elements(tensor: GraphTensor) -> int:
    return tensor.shape[0] * tensor.rows


def _can_multiply(node: GraphTensor) -> bool:
    weight, operand = node.sources[:2]
    if weight.layout[0] != weight.type.block_bytes or operand.layout[0] != operand.type.block_bytes:
        return False
    if (operand.type is F16 and weight.type is not F16) or node.variant == PRECISE:
        return False
    return weight.type.name not in _UNMULTIPLIED


def _can_combine(node: GraphTensor) -> bool:
    """Element-wise operations want f32 or f16 on all sides; bf16 only with itself or f32."""
    left, right = (source.type.name for source in node.sources[:2])
    names = (left, right, node.type.name)
    if "bf16" in names:
        return left == node.type.name == "bf16" and right in ("bf16", "f32")
    return all(name in ("f32", "f16") for name in names)


def _can_gather(node: GraphTensor) -> bool:
    kind = node.sources[0].type.name
    if kind in ("iq4_nl", "mxfp4"):
        return node.sources[0].shape[0] % _SUPER_BLOCK == 0
    return kind not in _UNGATHERED


def _can_scan(node: GraphTensor) -> bool:
    state, decay, keys = node.sources[0], node.sources[3], node.sources[4]
    if decay.shape[0] == 1:
        return state.shape[0] in _SCAN_STATES and state.shape[1] % 16 == 0
    return state.shape[:2] == (16, 1) and state.shape[2] % 128 == 0 and keys.shape[1] == 1


def _has_dense_matrices(node: GraphTensor) -> bool:
    """Whether the operand is contiguous from its second dimension on."""
    layout, shape = node.sources[0].layout, node.sources[0].shape
    return layout[2] == layout[1] * shape[1] and layout[3] == layout[2] * shape[2]


def _can_rotate(node: GraphTensor) -> bool:
    layout, shape = node.sources[0].layout, node.sources[0].shape
    return layout[0] == node.type.block_bytes and (
        shape[3] == 1 or layout[3] == layout[2] * shape[2]
    )


def _can_index(node: GraphTensor) -> bool:
    query, key = node.sources[:2]
    if query.shape[0] != _INDEXER_HEAD or query.shape[1] not in _INDEXER_HEADS:
        return False
    return key.type.name in _CACHE_TYPES


_CHECKS = {
    "add": _can_combine,
    "sub": _can_combine,
    "mul": _can_combine,
    "div": _can_combine,
    "flash_attn": has_flash_kernel,
    "mul_mat": _can_multiply,
    "mul_mat_id": _can_multiply,
    "get_rows": _can_gather,
    "ssm_scan": _can_scan,
    "ssm_conv": lambda node: node.sources[0].shape[1] % 128 == 0,
    "unary": lambda node: node.sources[0].is_contiguous,
    "glu": _has_dense_matrices,
    "rope": _can_rotate,
    "repeat": lambda node: node.sources[0].type in (F32, F16),
    "lightning_indexer": _can_index,
}
