"""A store that a perfduck server has: what the protocol can be asked, over HTTP.

    POST /api/v1/store/{service}/{method}    parameters and answer as MessagePack (wire.py)

services.py says which methods there are, client.py asks them, server_session.py answers them.
"""
