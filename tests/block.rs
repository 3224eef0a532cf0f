//! Compares data blocks with blocks made by other tools.

use m365_drv::block::{DataBlock, Mileage, Serial, Uid};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    serial: String,
    km: u32,
    uid_words: [String; 3],
    block_hex: String,
    sha256: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str::<Vectors>(include_str!("data/data_block_vectors.json")).unwrap().vectors
}

#[test]
fn every_block_is_byte_for_byte_its_vector() {
    for vector in vectors() {
        let uid: Uid = vector.uid_words.join("-").parse().unwrap();
        let block = DataBlock::template()
            .with_serial(Serial::parse(&vector.serial, "#####/########").unwrap())
            .with_mileage(Mileage::from_km(vector.km).unwrap())
            .with_uid(uid);
        assert_eq!(hex::encode(block.as_bytes()), vector.block_hex);
        assert_eq!(hex::encode(Sha256::digest(block.as_bytes())), vector.sha256);
    }
}

#[test]
fn every_vector_reads_back_with_its_own_values() {
    for vector in vectors() {
        let block = DataBlock::parse(&hex::decode(&vector.block_hex).unwrap()).unwrap();
        assert_eq!(block.serial().unwrap().to_string(), vector.serial);
        assert_eq!(block.mileage(), Mileage::from_km(vector.km).unwrap());
        assert_eq!(block.uid().to_string(), vector.uid_words.join("-"));
        assert!(block.activated());
    }
}
