use proptest::prelude::*;
use schemas::{Day, Timestamp};

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    let day: Day = "2026-11-23".parse().unwrap(); // a Monday
    assert_eq!(day.week_start(), day);
    assert_eq!(day.plus(6).week_start(), day);
    assert_eq!(day.plus(-1).week_start().to_string(), "2026-11-16");
    assert_eq!(day.month_start().to_string(), "2026-11-01");
    assert_eq!(day.next_month_start().to_string(), "2026-12-01");
    assert_eq!("2028-02-29".parse::<Day>().unwrap().next_month_start().to_string(), "2028-03-01");
}

#[test]
fn an_instant_has_one_written_form() {
    let instant: Timestamp = "2026-11-23T01:40:11.123456Z".parse().unwrap();
    assert_eq!(instant.to_string(), "2026-11-23T01:40:11.123456Z");
    assert_eq!(instant.hour().to_string(), "2026-11-23T01:00:00.000000Z");
    assert_eq!("2026-11-23T03:40:11.123456+02:00".parse(), Ok(instant));
    for text in ["", "2026-11-23", "2026-13-01T00:00:00Z", "yesterday"] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
    for text in ["2026-02-30", "2026-1", "x", "2026-11-23-1"] {
        assert!(text.parse::<Day>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn instants_and_days_round_trip(micros in -2_208_988_800_000_000_i64..4_102_444_800_000_000) {
        let instant = Timestamp::from_micros(micros);
        prop_assert_eq!(instant.to_string().parse(), Ok(instant));
        let day = instant.day();
        prop_assert!(day.start() <= instant && instant < day.plus(1).start());
        prop_assert_eq!(day.to_string().parse(), Ok(day));
    }
}
