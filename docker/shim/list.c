/* OSList_DeleteOldestNode() takes a node away and leaves currently_size as it was. The list then believes
 * itself full for ever: it forgets what it should correlate, and logs a line for every event. */
#include "shared.h"

void __real_OSList_DeleteOldestNode(OSList *list);

void __wrap_OSList_DeleteOldestNode(OSList *list)
{
    if (list->first_node == NULL) {
        return;
    }
    __real_OSList_DeleteOldestNode(list);
    list->currently_size--;
}
