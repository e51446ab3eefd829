"""The loop from the journal's outbox to the broker's word, and what is asked of the device by MQTT."""
