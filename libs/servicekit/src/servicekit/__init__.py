"""What every Groundwork service would otherwise copy: app factory, settings base, logs, metrics, errors,
HTTP client, delegation tokens, SQL, job leases. Nothing here knows the words of any one service.
"""
