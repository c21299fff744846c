"""Slow, literal references that the tests compare with.

Each module is written from a published description (the paper, a checkpoint layout), shares no code with the package
under test and imports nothing from it. Clarity and literalness come first; speed does not matter here.

- `bau`: the mathematics of Bau et al., "Rewriting a Deep Generative Model" (ECCV 2020), as its authors implemented it.
- `rosinality`: a StyleGAN2 generator in the layout of the widespread PyTorch code base (`g_ema`).
- `nvidia`: the same network in the layout of StyleGAN2-ADA-PyTorch; `nvidia_files` writes such networks as pickles.
- `progan`: a Progressive GAN generator in the layout of GAN Dissection.
"""
