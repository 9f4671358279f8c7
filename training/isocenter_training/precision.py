"""Which number format the forward and backward pass compute in. Weights and validation stay float32."""

from typing import TYPE_CHECKING

from isocenter.domain.training_plan import TrainingPlan

if TYPE_CHECKING:
    import torch


def resolve_precision(plan: TrainingPlan, device: "torch.device") -> "torch.dtype":
    """The plan's precision on this device.

    ``auto`` is bfloat16 where the processor multiplies in it natively (a GPU from Ampere on, a CPU with
    avx512_bf16 or amx_bf16: there it is 1.5 to 2 times as fast), else float32. bfloat16 has float32's range,
    so no loss scaling is needed.
    """
    import torch

    if plan.precision == "auto":
        return torch.bfloat16 if _is_native(device) else torch.float32
    return torch.bfloat16 if plan.precision == "bfloat16" else torch.float32


def _is_native(device: "torch.device") -> bool:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
