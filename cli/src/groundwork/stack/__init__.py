"""What `groundwork up` runs on one host: Valkey, the five services and a worker, under supervisord."""
