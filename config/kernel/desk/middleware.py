"""stub, being written"""
def _pass(get_response):
    return get_response
Correlation = ContentSecurityPolicy = Actor = _pass
