//! The wire: protobuf messages, their conversion to the field's words, and a client that follows the leader.
