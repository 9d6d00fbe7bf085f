"""The kind `reverse`: a track, turned round."""
