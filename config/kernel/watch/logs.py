"""stub, being written"""
import logging
class JsonFormatter(logging.Formatter):
    pass
