"""What learners share: the encoder, batches, the probe, calibration. CORE: no Django."""
