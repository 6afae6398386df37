/* p1_objects_test.c - every object of P1 telegrams: numbers and units, M-Bus, logs, and nonsense. */
#include "p1_kit_test.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *line;
    enum quantity quantity;
    long long value;
} spelled[] = {
    /* energies, and every spelling of their units */
    {"1-0:1.8.1(123456.789*kWh)", Q_ENERGY_IMPORT_T1, 123456789},
    {"1-0:1.8.2(000000.001*kWh)", Q_ENERGY_IMPORT_T2, 1},
    {"1-0:1.8.3(000003.000*kWh)", Q_ENERGY_IMPORT_T3, 3000},
    {"1-0:1.8.4(000004.000*kWh)", Q_ENERGY_IMPORT_T4, 4000},
    {"1-0:1.8.0(00010117.368*kWh)", Q_ENERGY_IMPORT, 10117368},
    {"1-0:2.8.1(123456.789*kWh)", Q_ENERGY_EXPORT_T1, 123456789},
    {"1-0:2.8.2(000000.001*kWh)", Q_ENERGY_EXPORT_T2, 1},
    {"1-0:2.8.3(000003.000*kWh)", Q_ENERGY_EXPORT_T3, 3000},
    {"1-0:2.8.4(000004.000*kWh)", Q_ENERGY_EXPORT_T4, 4000},
    {"1-0:2.8.0(00010117.368*kWh)", Q_ENERGY_EXPORT, 10117368},
    {"1-0:15.8.0(000800.817*kWh)", Q_ENERGY_ABSOLUTE, 800817},
    {"1-0:1.8.0(006545766*Wh)", Q_ENERGY_IMPORT, 6545766},
    {"1-0:1.8.0(000000.500*kwh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(000000.500*kWh )", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(000000.500* kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(000000.500kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(000000.500 kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(000000.500*KWH)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(500*wh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(0.0004*kWh)", Q_ENERGY_IMPORT, 0}, /* rounded half away from zero */
    {"1-0:1.8.0(0.0005*kWh)", Q_ENERGY_IMPORT, 1},
    {"1-0:1.8.0(0.00000000000001*kWh)", Q_ENERGY_IMPORT, 0},
    {"1-0:1.8.0(5*kWh)", Q_ENERGY_IMPORT, 5000},
    {"1-0:1.8.0(000000000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0(9999999999.999*kWh)", Q_ENERGY_IMPORT, 9999999999999},
    /* A-B in all variants that name electricity, group F in all that say nothing */
    {"0-0:1.8.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-1:1.8.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-9:1.8.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0.255(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0*255(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:32.32.0.255(00004)", Q_VOLTAGE_SAGS_L1, 4},
    {"1-0:32.32.0*255(00004)", Q_VOLTAGE_SAGS_L1, 4},
    {"0-0:96.7.21*255(00004)", Q_POWER_FAILURES, 4},
    {"1-0:94.32.1.0(230)", Q_GRID_TYPE, 230},
    {"1-0:1.8.0.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0*1(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    {"1-0:1.8.0*99(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
    /* reactive energies */
    {"1-0:3.8.0(000012.345*kvarh)", Q_REACTIVE_ENERGY_IMPORT, 12345},
    {"1-0:4.8.0(00001260.519*kVArh)", Q_REACTIVE_ENERGY_EXPORT, 1260519},
    {"1-0:3.8.0(000000747*varh)", Q_REACTIVE_ENERGY_IMPORT, 747},
    {"1-0:5.8.0(000000.668*kvarh)", Q_REACTIVE_ENERGY_Q1, 668},
    {"1-0:6.8.0(000000.071*kvarh)", Q_REACTIVE_ENERGY_Q2, 71},
    {"1-0:7.8.0(000160.487*kvarh)", Q_REACTIVE_ENERGY_Q3, 160487},
    {"1-0:8.8.0(000143.346*kvarh)", Q_REACTIVE_ENERGY_Q4, 143346},
    /* powers */
    {"1-0:1.7.0(01.193*kW)", Q_POWER_IMPORT, 1193},
    {"1-0:1.7.0(0001.01*kW)", Q_POWER_IMPORT, 1010},
    {"1-0:1.7.0(000000286*W)", Q_POWER_IMPORT, 286},
    {"1-0:1.7.0(01.193*kw)", Q_POWER_IMPORT, 1193},
    {"1-0:1.7.0(01.193kW)", Q_POWER_IMPORT, 1193},
    {"1-0:2.7.0(00.002*kW)", Q_POWER_EXPORT, 2},
    {"1-0:16.7.0(-01.618*kW)", Q_POWER, -1618},
    {"1-0:16.7.0(01.618*kW)", Q_POWER, 1618},
    {"1-0:36.7.0(-00.001*kW)", Q_POWER_L1, -1},
    {"1-0:56.7.0(00.002*kW)", Q_POWER_L2, 2},
    {"1-0:76.7.0(-00.003*kW)", Q_POWER_L3, -3},
    {"1-0:36.7.0(-0.0015*kW)", Q_POWER_L1, -2},
    {"1-0:21.7.0(00.021*kW)", Q_POWER_IMPORT_L1, 21},
    {"1-0:41.7.0(00.041*kW)", Q_POWER_IMPORT_L2, 41},
    {"1-0:61.7.0(00.061*kW)", Q_POWER_IMPORT_L3, 61},
    {"1-0:22.7.0(00.022*kW)", Q_POWER_EXPORT_L1, 22},
    {"1-0:42.7.0(00.042*kW)", Q_POWER_EXPORT_L2, 42},
    {"1-0:62.7.0(00.062*kW)", Q_POWER_EXPORT_L3, 62},
    {"1-0:1.4.0(01.964*kW)", Q_DEMAND_QUARTER, 1964},
    {"1-0:1.6.0(240703184500S)(04.120*kW)", Q_DEMAND_MONTH_PEAK, 4120},
    {"1-0:3.7.0(0001.279*kVAr)", Q_REACTIVE_IMPORT, 1279},
    {"1-0:4.7.0(000000166*var)", Q_REACTIVE_EXPORT, 166},
    {"1-0:4.7.0(000000166*VAr)", Q_REACTIVE_EXPORT, 166},
    {"1-0:4.7.0(00.166*Kvar)", Q_REACTIVE_EXPORT, 166},
    {"1-0:4.7.0(00.166*kvar)", Q_REACTIVE_EXPORT, 166},
    {"1-0:23.7.0(00.023*kvar)", Q_REACTIVE_IMPORT_L1, 23},
    {"1-0:43.7.0(00.043*kvar)", Q_REACTIVE_IMPORT_L2, 43},
    {"1-0:63.7.0(00.063*kvar)", Q_REACTIVE_IMPORT_L3, 63},
    {"1-0:24.7.0(00.024*kvar)", Q_REACTIVE_EXPORT_L1, 24},
    {"1-0:44.7.0(00.044*kvar)", Q_REACTIVE_EXPORT_L2, 44},
    {"1-0:64.7.0(00.064*kvar)", Q_REACTIVE_EXPORT_L3, 64},
    {"1-0:5.7.0(00.005*kvar)", Q_REACTIVE_Q1, 5},
    {"1-0:6.7.0(00.006*kvar)", Q_REACTIVE_Q2, 6},
    {"1-0:7.7.0(00.504*kvar)", Q_REACTIVE_Q3, 504},
    {"1-0:8.7.0(00.008*kvar)", Q_REACTIVE_Q4, 8},
    {"1-0:9.7.0(02.376*kVA)", Q_APPARENT_IMPORT, 2376},
    {"1-0:9.7.0(2376*VA)", Q_APPARENT_IMPORT, 2376},
    {"1-0:10.7.0(02.376*kva)", Q_APPARENT_EXPORT, 2376},
    {"1-0:29.7.0(00.029*kVA)", Q_APPARENT_IMPORT_L1, 29},
    {"1-0:49.7.0(00.049*kVA)", Q_APPARENT_IMPORT_L2, 49},
    {"1-0:69.7.0(00.069*kVA)", Q_APPARENT_IMPORT_L3, 69},
    {"1-0:30.7.0(00.030*kVA)", Q_APPARENT_EXPORT_L1, 30},
    {"1-0:50.7.0(00.050*kVA)", Q_APPARENT_EXPORT_L2, 50},
    {"1-0:70.7.0(00.070*kVA)", Q_APPARENT_EXPORT_L3, 70},
    {"1-0:13.7.0(-1.000)", Q_POWER_FACTOR, -1000},
    {"1-0:13.7.0(1)", Q_POWER_FACTOR, 1000},
    {"1-0:33.7.0(0.98)", Q_POWER_FACTOR_L1, 980},
    {"1-0:53.7.0(-0.951)", Q_POWER_FACTOR_L2, -951},
    {"1-0:73.7.0(0.000)", Q_POWER_FACTOR_L3, 0},
    /* voltages, currents, frequency */
    {"1-0:32.7.0(220.1*V)", Q_METER_VOLTAGE_L1, 220100},
    {"1-0:52.7.0(000.0*V)", Q_METER_VOLTAGE_L2, 0},
    {"1-0:72.7.0(0.2319*kV)", Q_METER_VOLTAGE_L3, 231900},
    {"1-0:32.7.0(220.1V)", Q_METER_VOLTAGE_L1, 220100},
    {"1-0:31.7.0(001*A)", Q_METER_CURRENT_L1, 1000},
    {"1-0:51.7.0(007.74*A)", Q_METER_CURRENT_L2, 7740},
    {"1-0:71.7.0(006.9*A)", Q_METER_CURRENT_L3, 6900},
    {"1-0:71.7.0(0.00352*kA)", Q_METER_CURRENT_L3, 3520},
    {"1-0:31.7.0(005A)", Q_METER_CURRENT_L1, 5000},
    {"1-0:91.7.0(000.31*A)", Q_CURRENT_NEUTRAL, 310},
    {"1-0:14.7.0(49.98*Hz)", Q_FREQUENCY, 49980},
    {"1-0:14.7.0(0.04998*kHz)", Q_FREQUENCY, 49980},
    /* events and states */
    {"1-0:32.32.0(00002)", Q_VOLTAGE_SAGS_L1, 2},
    {"1-0:52.32.0(00003)", Q_VOLTAGE_SAGS_L2, 3},
    {"1-0:72.32.0(00004)", Q_VOLTAGE_SAGS_L3, 4},
    {"1-0:32.36.0(00005)", Q_VOLTAGE_SWELLS_L1, 5},
    {"1-0:52.36.0(00006)", Q_VOLTAGE_SWELLS_L2, 6},
    {"1-0:72.36.0(00007)", Q_VOLTAGE_SWELLS_L3, 7},
    {"0-0:32.32.0(00002)", Q_VOLTAGE_SAGS_L1, 2}, /* as Luxembourg's table has it */
    {"0-0:96.7.21(00004)", Q_POWER_FAILURES, 4},
    {"0-0:96.7.9(00002)", Q_LONG_POWER_FAILURES, 2},
    {"0-0:96.14.0(0001)", Q_TARIFF, 1},
    {"0-0:96.14.0(0009)", Q_TARIFF, 9},
    {"0-0:96.3.10(2)", Q_BREAKER, 2},
    {"1-0:94.32.1(400)", Q_GRID_TYPE, 400},
    /* limits */
    {"0-0:17.0.0(016.1*kW)", Q_LIMITER_W, 16100},
    {"0-0:17.0.0(90.000*kW)", Q_LIMITER_W, 90000},
    {"0-0:17.0.0(009.9*kW)", Q_LIMITER_W, 9900},
    {"0-0:17.0.0(099.9*kW)", Q_LIMITER_W, 99900},
    {"0-0:17.0.0(9.9999*kW)", Q_LIMITER_W, 10000},
    {"0-0:17.0.0(0.99999*kW)", Q_LIMITER_W, 1000},
    {"0-0:17.0.0(0.000999999*kW)", Q_LIMITER_W, 1},
    {"0-0:17.0.0(9.99999900*kW)", Q_LIMITER_W, 10000},
    {"0-0:17.0.0(12.300*kVA)", Q_LIMITER_VA, 12300},
    {"1-0:31.4.0(025*A)", Q_FUSE_L1, 25000},
    {"1-0:31.4.0(099*A)", Q_FUSE_L1, 99000},
    {"1-0:51.4.0(200.00*A)", Q_FUSE_L2, 200000},
    {"1-0:71.4.0(063.00*A)", Q_FUSE_L3, 63000},
    {"1-1:31.4.0(100*A)(-063*A)", Q_FUSE_L1, 100000},
    {"1-1:31.4.0(100*A)(-063*A)", Q_FUSE_EXPORT, -63000},
};

static void every_quantity_and_unit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
        char lines[256];
        snprintf(lines, sizeof lines, "%s\r\n", spelled[i].line);
        decode(lines);
        if (!reading_has(&seen.reading, spelled[i].quantity) ||
            seen.reading.value[spelled[i].quantity] != spelled[i].value ||
            seen.reading.object_errors)
            fail_msg("%s: %lld", spelled[i].line,
                     (long long)seen.reading.value[spelled[i].quantity]);
    }
}

static unsigned known_quantities(void)
{
    unsigned n = 0;
    for (int q = 0; q < Q_N; q++)
        n += reading_has(&seen.reading, (enum quantity)q);
    return n;
}

/* Lines that say nothing: no value and no error.  The frequency behind them must be untouched. */
static const char *const silent_lines[] = {
    "",
    "(00.001*kW)", /* continues the blank line */
    "0-0:17.0.0(999.9*kW)",
    "0-0:17.0.0(99.999*kW)",
    "0-0:17.0.0(999*kW)",
    "0-0:17.0.0(9999*kW)",
    "0-0:17.0.0(99999*W)",
    "0-0:17.0.0(999999*W)",
    "0-0:17.0.0(99.999990*kW)",
    "0-0:17.0.0(0999.00*kW)",
    "0-0:17.0.0(999.9*kVA)",
    "1-0:31.4.0(999*A)",
    "1-0:31.4.0(999.99*A)",
    "1-0:51.4.0(999.9*A)",
    "1-0:13.7.0(4.556)",
    "1-0:33.7.0(-1.001)",
    "1-0:53.7.0(1.001)",
    "1-0:1.7.0()",
    "1-0:32.7.0()",
    "0-0:96.14.0()",
    "0-0:96.3.10()",
    "0-0:1.0.0()",
    "1-0:1.6.0()()",
    "0-0:17.0.0()",
    "1-0:31.4.0()",
    "1-0:13.7.0()",
    "1-0:1.8.0.255()",
    "0-0:96.7.21()",
    "0-0:96.13.0()",
    "0-0:96.1.1()",
    "1-3:0.2.8()",
    "1-3:0.2.8((ER11))",
    "1-0:1.8.0((ER23))",
    "1-0:99.97.0()",
    "1-0:99.97.0(0)(0-0:96.7.19)",
    "1-0:99.97.0(0)",
    "0-0:98.1.0()",
    "0-0:98.1.0(0)(1-0:1.6.0)(1-0:1.6.0)()",
    "0-0:98.1.0(0)",
    "0-0:98.1.0(230701000000S)(000040.777*kWh)(000000.030*kvarh)(03.564*kW)",
    "0-2:96.1.0()",
    "0-2:24.1.0()",
    "0-2:24.2.1()",
    "0-2:24.4.0()",
    "0-1:24.3.0()",
    "1-0:99.99.9(unknown)",
    "1-0:256.8.0(1*kWh)",
    "1-0:1x7x0(1*kW)",
    "1-0:1:7:0(1*kW)",
    "1-0:01.7.0(1*kW)",
    "1-0:001-07/0(1*kW)",
    "1-0:1.7.00(1*kW)",
    "1-0:1.7.(1*kW)",
    "1-0:1.7(1*kW)",
    "1-0:1(1*kW)",
    "0-0:C.1.0(123)",
    "0-5:24.2.1(240706153005S)(02718.281*m3)",
    "0-9:24.1.0(003)",
    "0-6:96.1.0(4142)",
    "0-0:24.2.1(240706153005S)(02718.281*m3)",
    "0-1:1.7.0(00.001*kW)",
    "7-0:1.8.0(1*kWh)",
    "6-1:1.7.0(00.001*kW)",
    "1-0:3.8.1(000000000*varh)",
    "1-0:16.24.0(-01.618*kW)",
};

static void what_says_nothing_is_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof silent_lines / sizeof silent_lines[0]; i++) {
        char all[512];
        snprintf(all, sizeof all, "%s\r\n1-0:14.7.0(50.00*Hz)\r\n", silent_lines[i]);
        decode(all);
        const struct reading *r = &seen.reading;
        struct reading_mbus none = {.valve = -1};
        if (known_quantities() != 1 || r->value[Q_FREQUENCY] != 50000 || r->object_errors ||
            r->failures_n || r->peaks_n || r->meter_time_s || r->peak_time_s || r->p1_version)
            fail_msg("%s: %u errors, %u known", silent_lines[i], r->object_errors,
                     known_quantities());
        for (int c = 0; c < READING_MBUS_N; c++)
            assert_memory_equal(&r->mbus[c], &none, sizeof none);
    }
}

/* Lines that make no sense: counted, no value, and the line behind them is untouched. */
static const char *const senseless_lines[] = {
    /* numbers */
    "1-0:1.7.0(+01.193*kW)",
    "1-0:1.7.0(1e3*kW)",
    "1-0:1.7.0(1E3*W)",
    "1-0:1.7.0(nan*kW)",
    "1-0:1.7.0(inf*kW)",
    "1-0:1.7.0(0x10*W)",
    "1-0:1.7.0(01,193*kW)",
    "1-0:1.7.0(1.2.3*kW)",
    "1-0:1.7.0(.5*kW)",
    "1-0:1.7.0(5.*kW)",
    "1-0:1.7.0(.*kW)",
    "1-0:1.7.0(*kW)",
    "1-0:1.7.0(-*kW)",
    "1-0:1.7.0(-00.001*kW)",
    "1-0:1.7.0(--1*kW)",
    "1-0:16.7.0(--1*kW)",
    "1-0:1.7.0( 1*kW)",
    "1-0:1.7.0(1234567890123456789012345678901234567890*kW)",
    "1-0:1.7.0(18446744073709551617*W)",
    "1-0:1.7.0(00000000000000001*W)",
    "1-0:1.7.0(1.00000000000000000*kW)",
    "1-0:1.7.0(kW)",
    "1-0:1.7.0(one*kW)",
    "1-0:1.7.0(1\t*kW)",
    "1-0:1.7.0(1*k\x01W)",
    "1-0:31.7.0(-003*A)",
    "1-0:32.7.0(-230.0*V)",
    "1-0:1.8.0(-1*kWh)",
    "0-0:96.7.21(-1)",
    /* units */
    "1-0:1.7.0(00.001)",
    "1-0:1.7.0(00.001*)",
    "1-0:1.7.0(00.001*kWh)",
    "1-0:1.7.0(00.001*V)",
    "1-0:1.7.0(00.001*MW)",
    "1-0:1.7.0(1*\xD7)",
    "1-0:1.8.0(1*\xF7h)",
    "1-0:1.7.0(00.001*kWkWkWkWkW)",
    "1-0:1.8.0(1*kW)",
    "1-0:32.7.0(230.0*A)",
    "1-0:32.7.0(230.0)",
    "1-0:3.8.0(1*kWh)",
    "1-0:9.7.0(1*kW)",
    "1-0:14.7.0(50*s)",
    "0-0:96.14.0(1*s)",
    "1-0:13.7.0(1*kW)",
    "0-0:17.0.0(1*A)",
    "0-0:17.0.0(1)",
    "1-0:31.4.0(1*V)",
    "1-0:31.4.0(-1*A)",
    "1-0:31.4.0(1)",
    "1-0:1.7.0(00.001**kW)",
    /* beyond every range */
    "1-0:1.7.0(20000.001*kW)",
    "1-0:1.8.0(10000000000.001*kWh)",
    "1-0:32.7.0(60000.1*V)",
    "1-0:31.7.0(20000.1*A)",
    "1-0:14.7.0(100.1*Hz)",
    "0-0:96.7.21(1000000001)",
    "1-0:9.7.0(99999.999*kVA)",
    "1-0:1.8.0(9999999999999999*kWh)",
    "1-0:32.7.0(9999999999999999*kV)",
    "1-0:16.7.0(-20000.001*kW)",
    /* parentheses */
    "1-0:1.7.0(00.001*kW",
    "1-0:1.7.0(",
    "1-0:1.7.0",
    "1-0:1.7.0)00.001*kW(",
    "1-0:1.7.0((00.001*kW))",
    "1-0:1.7.0(00.001(1)*kW)",
    "1-0:1.7.0[00.001*kW]",
    "0-0:96.13.0(4142",
    "0-0:96.13.0",
    "0-0:96.1.1(",
    "1-3:0.2.8(50",
    "0-0:1.0.0(240706153042S",
    "1-0:1.8.0*255",
    "1-0:1.8.0.255",
    "1-0:1.8.0.12345(000000.500*kWh)",
    /* references */
    "noise",
    "1-0",
    "1-0:",
    "1-01.7.0(00.001*kW)",
    "1:0:1.7.0(00.001*kW)",
    "10:1.7.0(1*kW)",
    "-1-0:1.7.0(1*W)",
    "1-10:1.7.0(00.001*kW)",
    "a-0:1.7.0(00.001*kW)",
    "1-a:1.7.0(00.001*kW)",
    "1-0:1.7.0 (00.001*kW)",
    "1-0:1.7.0 junk(00.001*kW)",
    "1-0:(00.001*kW)",
    "1-0:1\x01.7.0(00.001*kW)",
    "*",
    " ",
    "\xFF\xFF",
    "2-",
    "7-0",
    "1-0:*.2(0",
    "1-0:*2(0)",
    "1-0:1.7.0.0.0.0.0.0(1*kW)",
    "1-0:123456789(1*kW)",
    /* times */
    "0-0:1.0.0(241306153042S)",
    "0-0:1.0.0(240230000000W)",
    "0-0:1.0.0(240706153042)",
    "0-0:1.0.0(240706153042s)",
    "0-0:1.0.0(240706153042X)",
    "0-0:1.0.0(240706253042S)",
    "0-0:1.0.0(240706156042S)",
    "0-0:1.0.0(240706153060S)",
    "0-0:1.0.0(240700153042S)",
    "0-0:1.0.0(240006153042S)",
    "0-0:1.0.0(000101000000W)",
    "0-0:1.0.0(700101010000W)",
    "0-0:1.0.0(000000000000W)",
    "0-0:1.0.0(632525252525W)",
    "0-0:1.0.0(35255255255255255S)",
    "0-0:1.0.0(250000000000W)",
    "0-0:1.0.0(091231235959W)",
    "0-0:1.0.0(2407061530 2S)",
    "0-0:1.0.0(2024070615304S)",
    "1-0:1.6.0(240703184500S)",
    "1-0:1.6.0(240703184500S)(-04.120*kW)",
    "1-0:1.6.0(04.120*kW)",
    "1-0:1.6.0(240703184500S04.120*kW)",
    /* lists */
    "1-0:99.97.0(1)",
    "1-0:99.97.0(1)(0-0:96.7.19)",
    "1-0:99.97.0(11)(0-0:96.7.19)",
    "1-0:99.97.0(1000)(0-0:96.7.19)",
    "1-0:99.97.0(-1)(0-0:96.7.19)",
    "1-0:99.97.0(1.5)(0-0:96.7.19)",
    "1-0:99.97.0(x)",
    "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)",
    "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(0000002714)",
    "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(-000002714*s)",
    "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(4294967296*s)",
    "1-0:99.97.0(2)(0-0:96.7.19)(230118074131W)(0000002714*s)",
    "0-0:98.1.0(1)",
    "0-0:98.1.0(1)(1-0:1.6.0)",
    "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)",
    "0-0:98.1.0(14)(1-0:1.6.0)(1-0:1.6.0)",
    "0-0:98.1.0(1)\r\n1-0:9.9(S)",
    "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)",
    "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(03.118)",
    "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(-03.118*kW)",
    /* M-Bus */
    "0-1:24.1.0(256)",
    "0-1:24.1.0(-1)",
    "0-1:24.1.0(gas)",
    "0-1:24.4.0(128)",
    "0-1:24.4.0(-1)",
    "0-1:24.2.1(632525252525S)(00000.000)",
    "0-1:24.2.1(632525252525S)(00012.345*m3)",
    "0-1:24.2.1(240706153005S)(00012.345)",
    "0-1:24.2.1(240706153005S)(00012.345*kW)",
    "0-1:24.2.1(240706153005S)",
    "0-1:24.2.1(00012.345*m3)",
    "0-1:24.2.1(240706153005S)(-0001.000*m3)",
    "0-1:24.2.1(700101010000W)(00000000)",
    "0-1:24.2.3(632525252525W)(00000.000)",
    "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)",
    "0-1:24.3.0(161107190000)(00)(60)(1)",
    "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(bar)\r\n(00001.001)",
    "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(x)",
    "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n\r\n(00001.001)",
    "1-0:1.7.0\r\n(00.001*kW)",
};

static void what_makes_no_sense_loses_itself_alone(void **state)
{
    struct reading_mbus none = {.valve = -1};
    (void)state;
    for (size_t i = 0; i < sizeof senseless_lines / sizeof senseless_lines[0]; i++) {
        char all[512];
        snprintf(all, sizeof all, "%s\r\n1-0:91.7.0(000.31*A)\r\n", senseless_lines[i]);
        decode(all);
        const struct reading *r = &seen.reading;
        if (known_quantities() != 1 || r->value[Q_CURRENT_NEUTRAL] != 310 || r->object_errors != 1 ||
            r->failures_n || r->peaks_n || r->meter_time_s || r->peak_time_s || r->p1_version)
            fail_msg("%s: %u errors, %u known", senseless_lines[i], r->object_errors,
                     known_quantities());
        assert_memory_equal(&r->mbus[0], &none, sizeof none);
        assert_int_equal(stream.stats.object_errors, 1);
    }
}

/* A text of a char array has one NUL behind it, which does not count. */
#define LINE(text) \
    { \
        text, sizeof text - 1 \
    }

/* References that are shorter than eight characters are filled up with NUL, but not by a meter. */
static void a_nul_in_a_reference_makes_no_sense(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } lines[] = {LINE("1-0:1.7.0\0(00.123*kW)\r\n"), LINE("1-0:10.7.0\0\0(01.648*kVA)\r\n"),
                 LINE("1-0:1.7.0\0*255(00.123*kW)\r\n"), LINE("1-0:1.7\0.0(00.123*kW)\r\n"),
                 LINE("1-0:\0(00.123*kW)\r\n")};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        static struct bytes b;
        b.n = 0;
        append_string(&b, "/TST5 meter\r\n\r\n");
        append(&b, lines[i].text, lines[i].length);
        seal(&b, "%04X", "\r\n");
        run(b.p, b.n, ALL_AT_ONCE);
        assert_counts(1, 0, 0);
        assert_int_equal(known_quantities(), 0);
        assert_int_equal(seen.reading.object_errors, 1);
    }
}

static void first_of_duplicates_wins(void **state)
{
    (void)state;
    decode(
        "1-0:1.7.0(00.001*kW)\r\n1-0:1.7.0(00.002*kW)\r\n"
        "1-0:32.7.0(x)\r\n1-0:32.7.0(230.0*V)\r\n1-0:32.7.0(231.0*V)\r\n"
        "0-0:1.0.0(000101000000W)\r\n0-0:1.0.0(240101000000W)\r\n0-0:1.0.0(240101000001W)\r\n"
        "0-0:96.13.0()\r\n0-0:96.13.0(4142)\r\n0-0:96.13.0(4344)\r\n"
        "1-3:0.2.8(50)\r\n1-3:0.2.8(42)\r\n0-0:96.1.4(50217)\r\n0-0:96.1.4(50221)\r\n"
        "1-0:1.6.0(240101001500W)(01.000*kW)\r\n1-0:1.6.0(240102001500W)(02.000*kW)\r\n"
        "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(0000000001*s)\r\n"
        "1-0:99.97.0(2)(0-0:96.7.19)(230118074131W)(0000000002*s)(230118074131W)(0000000002*s)\r\n"
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(03.118*kW)\r\n"
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(04.118*kW)\r\n"
        "0-1:24.1.0(003)\r\n0-1:24.1.0(007)\r\n0-1:96.3.10(1)\r\n0-1:96.3.10(0)\r\n"
        "0-1:24.2.1(632525252525S)(00000.000)\r\n0-1:24.2.3(240101000000W)(00001.000*m3)\r\n"
        "0-1:24.2.1(240101000100W)(00002.000*m3)\r\n"
        "0-1:96.1.0()\r\n0-1:96.1.0(4145)\r\n0-1:96.1.1(4146)\r\n");
    const struct reading *r = &seen.reading;
    assert_int_equal(r->value[Q_POWER_IMPORT], 1);
    assert_int_equal(r->value[Q_METER_VOLTAGE_L1], 230000);
    assert_int_equal(r->meter_time_s, 1704063600);
    assert_string_equal(text_of(TEXT_MESSAGE), "AB");
    assert_int_equal(r->p1_version, 50);
    assert_int_equal(r->emucs_version, 50217);
    assert_string_equal(text_of(TEXT_VERSION), "50");
    assert_int_equal(r->value[Q_DEMAND_MONTH_PEAK], 1000);
    assert_int_equal(r->peak_time_s, 1704064500);
    assert_int_equal(r->failures_n, 1);
    assert_int_equal(r->failures[0].duration_s, 1);
    assert_int_equal(r->peaks[0].power_w, 3118);
    assert_int_equal(r->mbus[0].medium, MBUS_GAS);
    assert_int_equal(r->mbus[0].valve, 1);
    assert_int_equal(r->mbus[0].value, 1000);
    assert_int_equal(r->mbus[0].time_s, 1704063600);
    assert_true(r->mbus[0].uncorrected);
    assert_string_equal(text_of(TEXT_MBUS_ID_1), "AE");
    assert_int_equal(r->object_errors, 3);
}

static void mbus_channels(void **state)
{
    (void)state;
    decode("0-1:24.1.0(003)\r\n0-1:24.2.1(240706153005S)(02718.281*m3)\r\n"
           "0-2:24.1.0(007)\r\n0-2:24.2.1(240706153005W)(02718.281*m\xB3)\r\n0-2:24.4.0(2)\r\n"
           "0-3:24.1.0(012)\r\n0-3:24.2.1(240706153005S)(00002.718*GJ)\r\n0-3:96.3.10(0)\r\n"
           "0-4:24.1.0(002)\r\n0-4:24.2.1(240706153005S)(00002.718*kWh)\r\n0-4:96.1.2(3534)\r\n"
           "0-5:24.1.0(002)\r\n0-5:24.2.1(240706153005S)(00009.999*kWh)\r\n");
    const struct reading_mbus *m = seen.reading.mbus;
    static const struct reading_mbus expected[READING_MBUS_N] = {
        {.value = 2718281,
         .time_s = 1720272605,
         .unit = MBUS_UNIT_DM3,
         .medium = MBUS_GAS,
         .valve = -1},
        {.value = 2718281,
         .time_s = 1720276205,
         .unit = MBUS_UNIT_DM3,
         .medium = MBUS_WATER,
         .valve = 2},
        {.value = 2718,
         .time_s = 1720272605,
         .unit = MBUS_UNIT_MJ,
         .medium = MBUS_HEAT_INLET,
         .valve = 0},
        {.value = 2718,
         .time_s = 1720272605,
         .unit = MBUS_UNIT_WH,
         .medium = MBUS_ELECTRICITY,
         .valve = -1},
    };
    for (int i = 0; i < READING_MBUS_N; i++) {
        assert_int_equal(m[i].value, expected[i].value);
        assert_int_equal(m[i].time_s, expected[i].time_s);
        assert_int_equal(m[i].unit, expected[i].unit);
        assert_int_equal(m[i].medium, expected[i].medium);
        assert_int_equal(m[i].valve, expected[i].valve);
        assert_false(m[i].uncorrected);
    }
    assert_string_equal(text_of(TEXT_MBUS_EAN_4), "54");
    assert_int_equal(seen.reading.object_errors, 0);
    decode("0-1:24.2.1(240706153005S)(2718281*dm3)\r\n0-2:24.2.1(240706153005S)(2718*MJ)\r\n"
           "0-3:24.2.1(240706153005S)(2718*Wh)\r\n");
    assert_int_equal(m[0].value, 2718281);
    assert_int_equal(m[1].unit, MBUS_UNIT_MJ);
    assert_int_equal(m[1].value, 2718);
    assert_int_equal(m[2].value, 2718);
}

static void folded_gas_lines(void **state)
{
    static const char *const folds[] = {"\r\n(", "\n(", "("};
    (void)state;
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++) {
        char lines[256];
        snprintf(
            lines, sizeof lines,
            "0-3:24.3.0(161107190000)(00)(60)(1)(0-3:24.2.1)(m3)%s00001.001)\r\n0-3:24.4.0(1)\r\n",
            folds[i]);
        decode(lines);
        assert_int_equal(seen.reading.mbus[2].value, 1001);
        assert_int_equal(seen.reading.mbus[2].unit, MBUS_UNIT_DM3);
        assert_int_equal(seen.reading.mbus[2].time_s, READING_NO_TIME);
        assert_int_equal(seen.reading.mbus[2].valve, 1);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

static void failure_log_of_every_length(void **state)
{
    (void)state;
    for (int n = 0; n <= READING_FAILURES_N; n++) {
        char lines[1024];
        int used = snprintf(lines, sizeof lines, "1-0:99.97.0(%d)(0-0:96.7.19)", n);
        for (int i = 0; i < n + n % 2; i++) /* an odd count says one too few */
            used += snprintf(lines + used, sizeof lines - (size_t)used,
                             "(23011%d07413%dW)(%010d*s)", i % 10, i % 10, 1000 + i);
        snprintf(lines + used, sizeof lines - (size_t)used, "\r\n1-0:91.7.0(000.31*A)\r\n");
        decode(lines);
        assert_int_equal(seen.reading.failures_n, n);
        assert_int_equal(seen.reading.object_errors, 0);
        assert_int_equal(seen.reading.value[Q_CURRENT_NEUTRAL], 310);
        for (int i = 0; i < n; i++) {
            assert_int_equal(seen.reading.failures[i].duration_s, 1000 + i);
            assert_int_equal(seen.reading.failures[i].end_s, 1673332890 + 86401 * i);
        }
    }
    /* a failure whose time is none is a failure still */
    decode("1-0:99.97.0(1)(0-0:96.7.19)(000101000001W)(2147583646*s)\r\n");
    assert_int_equal(seen.reading.failures_n, 1);
    assert_int_equal(seen.reading.failures[0].end_s, READING_NO_TIME);
    assert_int_equal(seen.reading.failures[0].duration_s, 2147583646);
}

static void peak_history_of_every_length(void **state)
{
    (void)state;
    for (int n = 0; n <= READING_PEAKS_N; n++) {
        char lines[1024];
        int used = snprintf(lines, sizeof lines, "0-0:98.1.0(%d)(1-0:1.6.0)(1-0:1.6.0)", n);
        for (int i = 0; i < n; i++)
            used += snprintf(lines + used, sizeof lines - (size_t)used,
                             "(2308%02d000000S)(230714%02d1500S)(%02d.118*kW)", i + 1, i, i);
        snprintf(lines + used, sizeof lines - (size_t)used, "%s\r\n1-0:91.7.0(000.31*A)\r\n",
                 n ? "" : "()");
        decode(lines);
        assert_int_equal(seen.reading.peaks_n, n);
        assert_int_equal(seen.reading.object_errors, 0);
        assert_int_equal(seen.reading.value[Q_CURRENT_NEUTRAL], 310);
        for (int i = 0; i < n; i++) {
            assert_int_equal(seen.reading.peaks[i].power_w, 1000 * i + 118);
            assert_int_equal(seen.reading.peaks[i].month_s, 1690840800 + 86400 * i);
            assert_int_equal(seen.reading.peaks[i].time_s, 1689286500 + 3600 * i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_quantity_and_unit),
        cmocka_unit_test(what_says_nothing_is_unknown),
        cmocka_unit_test(what_makes_no_sense_loses_itself_alone),
        cmocka_unit_test(a_nul_in_a_reference_makes_no_sense),
        cmocka_unit_test(first_of_duplicates_wins),
        cmocka_unit_test(mbus_channels),
        cmocka_unit_test(folded_gas_lines),
        cmocka_unit_test(failure_log_of_every_length),
        cmocka_unit_test(peak_history_of_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
