//! What is signed and hashed: envelope, item and record encodings and the RFC 6962 tree.
