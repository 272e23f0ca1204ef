"""What `groundwork up` runs on one host: Valkey, the six services and a worker, under supervisord."""
