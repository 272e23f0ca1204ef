"""Groundwork's command line and its typed Python client.

Applications use the client alone:

    from groundwork.client import Groundwork

    with Groundwork("http://127.0.0.1:8080", api_key) as groundwork:
        print(groundwork.ask("handbook", "How many days of leave do I get?").text)
"""
