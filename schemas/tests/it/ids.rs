use proptest::prelude::*;
use schemas::partition::{PARTITION_COUNT, partition_of};
use schemas::{AccountId, KeyId, RequestId};
use uuid::Uuid;

#[test]
fn a_generation_id_has_openrouters_form_and_names_its_time() {
    let id = RequestId::mint();
    let text = id.to_string();
    let mut parts = text.splitn(3, '-');
    assert_eq!(parts.next(), Some("gen"));
    assert_eq!(parts.next().unwrap().parse::<u64>().unwrap(), id.minted_millis() / 1_000);
    let digits = parts.next().unwrap();
    assert!(digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
}

#[test]
fn ids_parse_with_and_without_their_prefix_and_refuse_others() {
    let key = KeyId::mint();
    assert_eq!(key.to_string().parse(), Ok(key));
    assert_eq!(key.uuid().hyphenated().to_string().parse(), Ok(key));
    assert!(key.to_string().parse::<AccountId>().is_err());
    for text in
        ["", "gen-", "gen-1-", "gen-1-abc", "gen-99999999999999999999-00000000000000000000", "gen-1-!!!!!!!!!!!!!!!!!!!!", "acct_zz"]
    {
        assert!(text.parse::<RequestId>().is_err(), "{text}");
        assert!(text.parse::<AccountId>().is_err(), "{text}");
    }
}

#[test]
fn partitions_of_known_accounts_never_change() {
    let known = |low: u128| partition_of(AccountId::from_uuid(Uuid::from_u128(low)));
    assert_eq!((0..8).map(known).collect::<Vec<_>>(), [8, 11, 15, 3, 12, 1, 11, 0]);
    assert_eq!(PARTITION_COUNT, 16);
}

proptest! {
    #[test]
    fn a_generation_id_is_a_lossless_writing_of_its_uuid(millis in 0_u64..1 << 48, random: u128) {
        let bits = u128::from(millis) << 80 | random & !(0xf << 76) & ((1 << 80) - 1);
        let bits = bits & !(0b11 << 62) | 0x7 << 76 | 0b10 << 62;
        let id = RequestId::from_uuid(Uuid::from_u128(bits));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
