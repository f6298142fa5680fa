"""What a training run of several processes needs beside the trainer. CORE: no Django."""
