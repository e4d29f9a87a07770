"""The command line: each verb parses, calls one function of the engine and hands its report to a renderer."""
