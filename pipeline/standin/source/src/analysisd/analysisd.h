/* What the engine's parts share. */
#pragma once

#include "eventinfo.h"

extern int thishour, __crt_hour;    /* the one that the statistics are about, and the one it is */
extern char __shost[512];           /* this machine's own name */
extern OSDecoderInfo *NULL_Decoder; /* of a line that is of no known form */

/* Fills the event from "2:LOCATION:LINE", of which it takes a copy; -1 if that is not its form. */
int OS_CleanMSG(char *msg, Eventinfo *lf);
void DecodeEvent(Eventinfo *event); /* by whoever it is that wrote it */
typedef void *field_setter(Eventinfo *lf, char *field, int order);
field_setter DstUser_FP, SrcUser_FP, SrcIP_FP, DstIP_FP, SrcPort_FP, DstPort_FP, Protocol_FP, Action_FP, ID_FP;
field_setter Url_FP, Data_FP, Status_FP, SystemName_FP, FileName_FP, DynamicField_FP;
Rule *find_rule(const Eventinfo *event); /* NULL for a harmless line */
int LastMsg_Stats(const char *log); /* 1 for a line that was there just before: the shim's, as is the next */
void LastMsg_Change(const char *log);
int FW_Log(Eventinfo *lf); /* to firewall.log; 0 for an event that lacks a field */
void OS_Store(const Eventinfo *lf); /* to the archive */
void OS_Log(Eventinfo *lf); /* the alert of its rule to alerts.log */
char *Eventinfo_to_jsonstr(const Eventinfo *lf); /* of an alert; on the heap */
void jsonout_output_event(const Eventinfo *lf);
