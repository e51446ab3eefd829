"""What a device may be given in place of a joint: pictures of none, and a joint's slices mixed up, moved or spoilt."""
