//! One record: `len u32 | crc32c u32 | kind u8 | lsn u64 | payload`, little-endian.
//!
//! `len` counts the payload; the checksum covers everything but itself. Kind 0 does not exist, so that
//! zeros, which is what a preallocated file holds, are never a record.

/// The longest payload: an event of the greatest size, and what the spool puts in front of it.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 96 * 1024;
/// What a record takes besides its payload.
pub(crate) const OVERHEAD_BYTES: usize = 17;

const LEN: std::ops::Range<usize> = 0..4;
const CHECKSUM: std::ops::Range<usize> = 4..8;
const KIND: usize = 8;
const LSN: std::ops::Range<usize> = 9..17;

/// What stands at a place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Record {
        kind: u8,
        lsn: u64,
        payload_bytes: usize,
    },
    /// Zeros where a record would begin: nothing was ever written here.
    Blank,
    /// A record may stand here; that many bytes are needed to tell.
    Short(usize),
    /// Neither a record nor blank.
    Bad,
}

/// Appends a record to a buffer; its payload is the parts, one after the other.
pub(crate) fn encode(buffer: &mut Vec<u8>, kind: u8, lsn: u64, parts: &[&[u8]]) {
    let payload_bytes: usize = parts.iter().map(|part| part.len()).sum();
    let start = buffer.len();
    buffer.reserve(OVERHEAD_BYTES + payload_bytes);
    // PAYLOAD_BYTES_MAX fits u32; the writer refuses what is longer.
    buffer.extend_from_slice(&(payload_bytes as u32).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.push(kind);
    buffer.extend_from_slice(&lsn.to_le_bytes());
    parts.iter().for_each(|part| buffer.extend_from_slice(part));
    let sum = checksum(&buffer[start..]);
    buffer[start..][CHECKSUM].copy_from_slice(&sum.to_le_bytes());
}

/// Looks at what stands at the start of some bytes.
pub(crate) fn look(bytes: &[u8]) -> Look {
    if bytes.len() < OVERHEAD_BYTES {
        return Look::Short(OVERHEAD_BYTES);
    }
    if bytes[..OVERHEAD_BYTES] == [0; OVERHEAD_BYTES] {
        return Look::Blank;
    }
    let payload_bytes = read_u32(&bytes[LEN]) as usize;
    if payload_bytes > PAYLOAD_BYTES_MAX || bytes[KIND] == 0 {
        return Look::Bad;
    }
    let total = OVERHEAD_BYTES + payload_bytes;
    if bytes.len() < total {
        return Look::Short(total);
    }
    if checksum(&bytes[..total]) != read_u32(&bytes[CHECKSUM]) {
        return Look::Bad;
    }
    Look::Record { kind: bytes[KIND], lsn: read_u64(&bytes[LSN]), payload_bytes }
}

fn checksum(record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&record[LEN]), &record[KIND..])
}

/// The first four bytes as a number; missing ones count as zero.
pub(crate) fn read_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// The first eight bytes as a number; missing ones count as zero.
pub(crate) fn read_u64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_flip_is_noticed() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 3, 77, &[b"one ", b"payload"]);
        assert_eq!(look(&bytes), Look::Record { kind: 3, lsn: 77, payload_bytes: 11 });
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(look(&flipped), Look::Record { .. }), "bit {bit}");
        }
    }

    #[test]
    fn zeros_are_blank_and_never_a_record() {
        assert_eq!(look(&[0; 64]), Look::Blank);
        assert_eq!(look(&[0; 16]), Look::Short(OVERHEAD_BYTES));
    }
}
