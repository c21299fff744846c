"""What is compared of a generator that another program saved: pictures of the same latents."""

import numpy as np
import torch

# Both sides round to float32 along another order of operations through up to 14 layers; the requirement is 1e-4.
PARITY = 1e-4


def z(count=2, width=20):
    return torch.from_numpy(np.random.RandomState(3).randn(count, width).astype(np.float32))


@torch.no_grad()
def draw(generator, truncation=None):
    return generator(z(width=generator.config.z_dim), truncation=truncation)


def double(state):
    return {name: tensor.double() for name, tensor in state.items()}
