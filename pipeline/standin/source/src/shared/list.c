#include "shared.h"

void OSList_AddData(OSList *list, void *data)
{
    OSListNode *node = must(calloc(1, sizeof(*node)));

    node->data = data;
    *(list->first_node == NULL ? &list->first_node : &list->last_node->next) = node;
    list->last_node = node;
    list->currently_size++;
}

/* Leaves currently_size as it was, as OSSEC's does: the image's shim has to make up for it. */
void OSList_DeleteOldestNode(OSList *list)
{
    OSListNode *oldest = list->first_node;

    list->first_node = oldest->next;
    free(oldest->data);
    free(oldest);
}
