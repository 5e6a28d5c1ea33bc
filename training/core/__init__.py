"""What all trainers share: settings, the loop on accelerate, checkpoints, the record and sample sheets."""
