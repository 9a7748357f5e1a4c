//! The Table in one ACID file, Blobs in a folder, the Doorbell in process.
