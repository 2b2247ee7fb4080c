#include "shared.h"

void os_queue_init(os_queue *queue)
{
    memset(queue, 0, sizeof(*queue));
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->available_not_empty, NULL);
}

static void put(os_queue *queue, void *data)
{
    queue->places[(queue->begin + queue->elements++) % QUEUE_PLACES] = data;
}

int os_queue_push_ex_block(os_queue *queue, void *data)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->elements == QUEUE_PLACES) {
        pthread_cond_wait(&queue->available_not_empty, &queue->mutex);
    }
    put(queue, data);
    pthread_mutex_unlock(&queue->mutex);
    return 0;
}

int os_queue_push_ex_timedwait(os_queue *queue, void *data, const struct timespec *abstime)
{
    int late = 0;

    pthread_mutex_lock(&queue->mutex);
    while (queue->elements == QUEUE_PLACES && late == 0) {
        late = pthread_cond_timedwait(&queue->available_not_empty, &queue->mutex, abstime);
    }
    if (late == 0) {
        put(queue, data);
    }
    pthread_mutex_unlock(&queue->mutex);
    return late == 0 ? 0 : -1;
}

void *os_queue_pop_ex(os_queue *queue)
{
    void *data = NULL;

    pthread_mutex_lock(&queue->mutex);
    if (queue->elements > 0) {
        data = queue->places[queue->begin];
        queue->begin = (queue->begin + 1) % QUEUE_PLACES;
        queue->elements--;
        pthread_cond_signal(&queue->available_not_empty);
    }
    pthread_mutex_unlock(&queue->mutex);
    return data;
}
