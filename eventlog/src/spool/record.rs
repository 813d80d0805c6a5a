//! What the spool's records carry.
//!
//! | kind | payload |
//! | --- | --- |
//! | 1 boot | node id, boot id |
//! | 2 accepted | request id, the gateway's bytes |
//! | 3 progress | request id, the gateway's bytes |
//! | 4 terminal | request id or nil, boot id, partition `u16`, sequence `u64`, the event's bytes |
//!
//! Ids are 16 bytes, numbers little-endian.

use schemas::{BootId, Partition, Producer, RequestId};
use uuid::Uuid;

pub(super) const BOOT: u8 = 1;
pub(super) const ACCEPTED: u8 = 2;
pub(super) const PROGRESS: u8 = 3;
pub(super) const TERMINAL: u8 = 4;

const ID_BYTES: usize = 16;
const TERMINAL_HEAD_BYTES: usize = 2 * ID_BYTES + 2 + 8;

/// A record, read back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Boot,
    Accepted { request: RequestId, payload: &'a [u8] },
    Progress { request: RequestId, payload: &'a [u8] },
    Terminal { head: TerminalHead, event: &'a [u8] },
}

/// What stands before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TerminalHead {
    pub request: Option<RequestId>,
    pub boot: BootId,
    pub partition: Partition,
    pub pseq: u64,
}

impl TerminalHead {
    pub(super) fn encode(&self) -> [u8; TERMINAL_HEAD_BYTES] {
        let mut bytes = [0; TERMINAL_HEAD_BYTES];
        bytes[..16].copy_from_slice(self.request.map_or(Uuid::nil(), RequestId::uuid).as_bytes());
        bytes[16..32].copy_from_slice(self.boot.uuid().as_bytes());
        bytes[32..34].copy_from_slice(&self.partition.to_le_bytes());
        bytes[34..].copy_from_slice(&self.pseq.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; TERMINAL_HEAD_BYTES]) -> Option<Self> {
        let request = uuid_at(bytes, 0)?;
        Some(Self {
            request: (!request.is_nil()).then_some(RequestId::from_uuid(request)),
            boot: BootId::from_uuid(uuid_at(bytes, 16)?),
            partition: Partition::from_le_bytes(*bytes[32..].first_chunk()?),
            pseq: u64::from_le_bytes(*bytes[34..].first_chunk()?),
        })
    }
}

pub(super) fn encode_boot(producer: Producer) -> [u8; 2 * ID_BYTES] {
    let mut bytes = [0; 2 * ID_BYTES];
    bytes[..16].copy_from_slice(producer.node.uuid().as_bytes());
    bytes[16..].copy_from_slice(producer.boot.uuid().as_bytes());
    bytes
}

/// Reads a record's payload. Absent for what this build does not write: its checksum was right, so it is not
/// damage but a record of a newer build, which must not be guessed at.
pub(super) fn decode(kind: u8, payload: &[u8]) -> Option<Record<'_>> {
    match kind {
        BOOT => Some(Record::Boot),
        ACCEPTED | PROGRESS => {
            let request = RequestId::from_uuid(uuid_at(payload, 0)?);
            let payload = &payload[ID_BYTES..];
            Some(if kind == ACCEPTED { Record::Accepted { request, payload } } else { Record::Progress { request, payload } })
        }
        TERMINAL => {
            let (head, event) = payload.split_first_chunk()?;
            Some(Record::Terminal { head: TerminalHead::decode(head)?, event })
        }
        _ => None,
    }
}

fn uuid_at(bytes: &[u8], at: usize) -> Option<Uuid> {
    bytes.get(at..)?.first_chunk().map(|chunk| Uuid::from_bytes(*chunk))
}
