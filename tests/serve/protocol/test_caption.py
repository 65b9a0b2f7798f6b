from interaction_jax.serve.protocol.caption import Captions


def test_objects_are_left_out_across_pieces():
  captions = Captions()
  pieces = [" two", " plus{", '"a": {', "}", "} three", " }four"]
  kept = [captions.take(piece) for piece in pieces]
  assert kept == [" two", " plus", "", "", " three", " }four"]
